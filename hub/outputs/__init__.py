"""Result bytes: where they live, how they come in and go out; no database and no web in here."""
