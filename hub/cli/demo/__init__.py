"""``hub demo``: the whole way of a job, on real files, with processes that only speak HTTP."""

from hub.cli.demo.command import demo

__all__ = ["demo"]
