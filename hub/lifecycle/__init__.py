"""The life of a job: what may happen to it, decided by pure rules and written by one ledger."""
