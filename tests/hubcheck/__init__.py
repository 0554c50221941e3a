"""Did every client hear what it had to? Recorded histories of clients, checked against the log.

Clients write a ``history`` line by line; ``streams`` tells it as subscriptions, whatever the face
was; the ``oracle`` is the events table; ``selection`` says what a subscription has to show. Each
property (``properties`` lists their modules) is a function from a history and the oracle to what is
wrong. ``recorders`` are clients that write histories. None of it uses rules of the hub.
"""
