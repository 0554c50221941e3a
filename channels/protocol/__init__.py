"""The socket language ``hub.v1``, without I/O: frames, close codes, and both ends as machines.

Server and client share it. Whoever owns a socket passes in what came and sends what it is told.
``frames`` and ``codes`` are the vocabulary, ``codec`` reads and writes it. ``server_session`` is
the hub's end, with ``subscribing`` (what may be asked for) and ``bucket`` (how often). The
client's end is ``client_session``, which has a ``stream`` for each subscription and gives
``orders``; ``backoff`` says when to connect again.
"""
