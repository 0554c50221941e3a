"""Hubs in this process, on routes that are built once and not for every test.

Litestar takes longer to build the routes than most tests take to run, and builds the same ones
whatever the database is.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from litestar import Litestar

from hub.app import Hub, create_app
from hub.settings import Settings

Routing = tuple[int, str, str]

_idle: dict[Routing, list[Litestar]] = defaultdict(list)


@contextmanager
def app_for(settings: Settings) -> Iterator[Litestar]:
    """An application with a new hub behind it, which is nobody else's while the block runs."""
    idle = _idle[_routing(settings)]
    app = _renewed(idle.pop(), settings) if idle else create_app(settings)
    yield app
    idle.append(app)


def _routing(settings: Settings) -> Routing:
    """Return the settings that the routes themselves are built with; all others are the hub's."""
    return settings.max_body_bytes, settings.cors_origins, settings.allowed_origins


def _renewed(app: Litestar, settings: Settings) -> Litestar:
    """Put a new hub where the routes of ``app`` find theirs; nothing of the old one is left."""
    hub: Hub = app.state.hub
    new = Hub(settings)
    guard = hub.guard
    guard.__dict__ = vars(new.guard)
    hub.__dict__ = vars(new) | {"guard": guard}
    return app
