"""Who is calling and what they may do: identities, passwords, tokens, permissions."""
