"""Composition root: the only place that knows everybody."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.exceptions import HTTPException

from channels.doorbell.memory import MemoryDoorbell
from channels.doorbell.missing import MissingDoorbell
from channels.doorbell.redis import RedisDoorbell
from channels.feed import Feed
from hub import clock
from hub.addresses import listed
from hub.api import CONTROLLERS
from hub.api.desk import Desk
from hub.api.health import Readiness
from hub.api.problems import (
    ProblemsForSockets,
    answer_problem,
    note_socket_failure,
    refuse_handshake,
)
from hub.api.schema import ROUTES as SCHEMA_ROUTES
from hub.api.sign_in_page import ROUTES as PAGE_ROUTES
from hub.auth.accounts import Accounts
from hub.auth.doors import Doors
from hub.auth.guard import Guard, NodeOwners
from hub.auth.origins import Origins
from hub.auth.proxies import Proxies
from hub.auth.tickets import Tickets
from hub.auth.tokens import Tokens
from hub.lifecycle.ledger import Ledger
from hub.lifecycle.log import CommittedLog
from hub.lifecycle.offers import Offers
from hub.lifecycle.quarantine import Quarantine
from hub.live.event_stream import EventStreams
from hub.live.gallery import Gallery
from hub.live.job_socket import watch_job
from hub.live.presence import LOOK_S, Presence
from hub.live.registry import Sockets
from hub.live.stream_socket import stream
from hub.notify.ways import followers
from hub.outputs.local import LocalStore
from hub.outputs.place import place_of
from hub.settings import Settings
from hub.upkeep.alarms import Alarms
from hub.upkeep.contacts import Contacts
from hub.upkeep.epochs import EpochGuard
from hub.upkeep.high_water import HighWater
from hub.upkeep.leftovers import Leftovers
from hub.upkeep.reaper import SWEEP_S, Reaper
from hub.upkeep.ticker import Chore, tick
from orm.engine import Engine, bind, make_engine
from orm.errors import StorageError
from orm.membership import Membership
from orm.postgres import ServerEngine
from orm.queries import meta, named_classes
from orm.queries.batch import BatchStore
from orm.queries.batch_postgres import PostgresBatches
from orm.queries.batch_sqlite import SqliteBatches

log = logging.getLogger("hub.app")

DAY_S = 86_400.0
RIGHTS_S = 0.5
"""Time between looks at the rights of sockets; with what tokens are believed below 5 seconds."""

PROVIDED = (
    "settings",
    "log",
    "gallery",
    "streams",
    "desk",
    "tokens",
    "accounts",
    "tickets",
    "doors",
    "owners",
    "offers",
    "store",
    "quarantine",
    "readiness",
)
"""The parts of a hub that handlers can ask for."""

ASKING_SHARE = 0.75
"""What part of the time in which sockets close they are asked in; the rest is for their answers."""

NO_REDIS = "several processes without Redis (HUB_REDIS_URL)"


class Hub:
    """Everything that one process of the hub is made of."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine: Engine = make_engine(settings.database, settings.database_pool)
        self.log = CommittedLog(self.engine)
        self.doorbell = doorbell_of(settings)
        self.feed = Feed(self.log, self.doorbell, ring_events=settings.ring_events)
        self.epochs = EpochGuard(self.engine, HighWater(settings.data_dir), self.feed)
        self.ledger = Ledger(_batches(self.engine), self.feed.offer)
        self.desk = Desk(
            self.engine,
            self.ledger,
            list_max=settings.list_max,
            lost_after_s=settings.lost_after_s,
        )
        self.tokens = Tokens(self.engine, settings.access_token_s, settings.refresh_token_s)
        self.accounts = Accounts(self.engine, self.tokens)
        self.tickets = Tickets(self.engine, self.tokens)
        self.doors = Doors(
            self.tokens,
            self.tickets,
            _origins(settings),
            anonymous_watch=settings.anonymous_watch,
        )
        self.owners = NodeOwners(self.engine)
        self.offers = Offers()
        self.sockets = Sockets(self.doors, settings.max_sockets)
        self.presence = Presence(self.engine, self.owners)
        self.gallery = Gallery(
            self.engine, self.feed, self.sockets, self.doors, self.presence, refuse_handshake
        )
        self.streams = EventStreams(self.gallery)
        self.store = LocalStore(settings.outputs_dir)
        self.quarantine = Quarantine(
            self.engine,
            limit_bytes=settings.quarantine_bytes,
            life_s=settings.quarantine_s,
        )
        self.readiness = Readiness(self.engine, settings.data_dir, self.doorbell)
        self.guard = Guard(
            self.doors, self.owners, Proxies(settings.proxy_networks), refuse_handshake
        )

    @asynccontextmanager
    async def running(self, _: Litestar) -> AsyncIterator[None]:
        """Open the database, run what runs in the background, and close in the opposite order."""
        bind(self.engine)
        await self.engine.start()
        try:
            await meta.ensure(self.engine, clock.wall_us())
            epoch = await self.epochs.begin()
            self.desk.open(epoch)
            self.gallery.epoch = epoch
            if isinstance(self.doorbell, RedisDoorbell):
                self.doorbell.join(epoch)
            for classes in named_classes.ALL:
                await classes.ensure_built_in(self.engine)
            async with self._join_the_others().announced(), self.feed.running(), self._background():
                yield
        finally:
            self.store.close()
            await self.engine.stop()

    @asynccontextmanager
    async def _background(self) -> AsyncIterator[None]:
        contacts = Contacts(self.engine, self.owners, self.ledger)
        reaper = Reaper(self.engine, contacts, self.ledger, self.owners)
        sweep_temporary = partial(self.store.sweep_temporary, older_than_s=DAY_S)
        tellers = followers(self.engine, self.feed, self.settings)
        committing = asyncio.create_task(self.ledger.run())
        chores = [
            asyncio.create_task(tick(chore))
            for chore in (
                *(Chore("notifications", 0.5, teller.run) for teller in tellers),
                *(Chore("told places", 2.0, teller.keep) for teller in tellers),
                Chore("heartbeat", 0.5, self._beat),
                Chore("epoch", 1.0, self.epochs.look),
                Chore("other processes", 2.0, self._look_around),
                Chore("leases", SWEEP_S, reaper.sweep),
                Chore("socket rights", RIGHTS_S, self.sockets.check_rights),
                Chore("presence", LOOK_S, self.presence.look),
                Chore("stale notices", 1.0, self.gallery.tell_if_stale),
                Chore("dead tokens", 600.0, self.accounts.sweep_tokens),
                Chore("unused tickets", 60.0, self.tickets.sweep),
                Chore("temporary files", 3_600.0, sweep_temporary),
                Chore("alarms", 5.0, Alarms(self.engine, self.owners.shared).write),
                Chore("quarantine", 600.0, self.quarantine.sweep),
                Chore("leftover bytes", 600.0, Leftovers(self.engine, self.store).sweep),
            )
        ]
        try:
            yield
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            try:
                await _at_last(
                    contacts.flush, self.epochs.keep, *(teller.keep for teller in tellers)
                )
            finally:
                self.ledger.close()
                await committing

    def _join_the_others(self) -> Membership:
        place = 0 if self.settings.is_embedded else place_of(self.settings.outputs_dir)
        self.membership = Membership(self.engine, place)
        return self.membership

    async def _look_around(self) -> None:
        await self.membership.look()
        if isinstance(self.doorbell, MissingDoorbell):
            self.doorbell.fault = NO_REDIS if self.membership.others else None

    async def _beat(self) -> None:
        self.readiness.beat()

    def drain(self, sockets_s: float) -> None:
        """Begin to stop: not ready any more, and every socket is asked to close.

        Args:
            sockets_s: How long the sockets may take.
        """
        self.readiness.is_draining = True
        self.sockets.drain(sockets_s * ASKING_SHARE)

    def provided(self) -> dict[str, Provide]:
        """Return what handlers can ask for, by name."""
        return {name: Provide(_part(self, name)) for name in PROVIDED}


async def _at_last(*writes: Callable[[], Awaitable[None]]) -> None:
    """Do what was put off, as far as the database takes it."""
    for write in writes:
        try:
            await write()
        except StorageError as error:
            log.warning("lost in the stop what=%s error=%s", write.__qualname__, error)


def _part(hub: Hub, name: str) -> Any:
    async def provide() -> Any:
        return getattr(hub, name)

    return provide


def doorbell_of(settings: Settings) -> MemoryDoorbell | MissingDoorbell | RedisDoorbell:
    """Return how this process and the others of the same hub tell each other of news."""
    if settings.redis_url:
        return RedisDoorbell(settings.redis_url)
    if settings.is_embedded:
        return MemoryDoorbell()
    return MissingDoorbell(NO_REDIS if settings.workers > 1 else None)


def _batches(engine: Engine) -> BatchStore:
    return PostgresBatches(engine) if isinstance(engine, ServerEngine) else SqliteBatches(engine)


def create_app(settings: Settings) -> Litestar:
    """Return the ASGI application; ``app.state.hub`` is the ``Hub`` behind it."""
    hub = Hub(settings)
    app = ProblemsForSockets(
        route_handlers=[*CONTROLLERS, *SCHEMA_ROUTES, *PAGE_ROUTES, watch_job, stream],
        lifespan=[hub.running],
        middleware=[hub.guard],
        dependencies=hub.provided(),
        exception_handlers={Exception: answer_problem, HTTPException: answer_problem},
        request_max_body_size=settings.max_body_bytes,
        openapi_config=None,  # hub.api.schema serves the document
        cors_config=_cors(settings),
        after_exception=[note_socket_failure],
        debug=False,
        logging_config=None,
    )
    app.state.hub = hub
    return app


def _origins(settings: Settings) -> Origins:
    public = settings.public
    return Origins(public.origin if public else None, settings.page_origins)


def _cors(settings: Settings) -> CORSConfig | None:
    origins = [*listed(settings.cors_origins), *sorted(settings.page_origins)]
    if not origins:
        return None
    return CORSConfig(
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        allow_headers=[
            *("authorization", "content-type", "content-disposition", "node-id"),
            "last-event-id",
        ],
        expose_headers=["X-Hub-Cursor", "X-Hub-Head", "X-Hub-Truncated"],
        # The guard refuses the cookie of a page that may call but not use it.
        allow_credentials=bool(settings.page_origins),
        max_age=600,
    )
