"""From a committed event to every watcher, inside one process and with a seam for several.

``events`` says what an event and a cursor are; ``feed`` is this process's ordered, gap-free view
of the log and ``ring`` its recent part; ``subscription`` is a position in that view; ``doorbell``
tells other processes that there is news; ``patience`` keeps trying while the log cannot be read.
"""
