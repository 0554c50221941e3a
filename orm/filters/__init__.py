"""The filter language of every list call: its grammar, the fields it may name, its compiler."""
