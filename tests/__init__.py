"""The tests, in folders by what they run against; the private servers they start."""
