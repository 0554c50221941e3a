"""The hint between processes that there is news: ``hint`` is the promise, the others keep it.

A lost, late or repeated hint costs time and nothing else: the log is the truth, and every feed
compares itself with it once in a while.
"""
