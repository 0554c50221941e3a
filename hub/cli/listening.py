"""The listening socket, with the options that keep slow and vanished peers from costing us."""

import socket

from hub.errors import Conflict

TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
BACKLOG = 2_048

# Without the first, megabytes of stale messages wait in the kernel behind a stalled watcher;
# without the second, nobody hears that a peer vanished while data for it is waiting (measured).
OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16_384),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", 18), 25_000),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", 4), 30),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPINTVL", 5), 10),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPCNT", 6), 3),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


class AddressInUse(Conflict):
    """Something else listens on this address already."""

    code = "address_in_use"


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens on ``host``; port 0 takes a free one.

    Raises:
        AddressInUse: it cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    for level, option, value in OPTIONS:
        listener.setsockopt(level, option, value)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressInUse(f"cannot listen on {host} port {port}: {error.strerror}") from error
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener
