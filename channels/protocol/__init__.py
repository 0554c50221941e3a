"""The socket language ``hub.v1``, without I/O: frames, close codes, and both ends as machines.

Server and client share it. Whoever owns a socket passes in what came and sends what it is told.
"""
