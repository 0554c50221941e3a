"""Benchmarks: what a durable write, a job's life, a poll and a broadcast cost.

Absolute figures depend on the machine and on its other guests; a ratio between two servers that
were measured in turns, seconds apart, hardly does. ``bare`` is the least a web framework can do,
``floor`` the least a durable hub can do, ``ceiling`` the least a server can do: the last shows that
the client that measures is not what is measured.

Run ``python -m tests.bench --help``.
"""
