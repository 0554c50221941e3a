"""What programs import to follow a hub live; it ships without the server.

``follower`` is the whole of it: an async iterator over what happens, that survives whatever happens
to the connection. ``blocking`` is the same for programs without an event loop. ``cursors`` keep the
place between two runs. ``link`` is a connection as the follower sees it, made by ``socket_link``,
``line_link`` or ``page_link``, whichever gets through; ``address`` says where the hub is.
"""
