"""Small chores with one ticker: they keep memory and database in step."""
