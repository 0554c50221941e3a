"""Tells what jobs were asked to tell: reads the log and writes lines and mail, beside all calls."""
