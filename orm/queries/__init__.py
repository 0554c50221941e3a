"""Named questions and their typed answers; the only place where SQL for the hub is written."""
