"""Nodes that fall silent when the tests begin, so that their time is up when it is looked for."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

from tests.compat import actions
from tests.compat.launcher import LOG_TYPE
from tests.compat.patience import until
from tests.compat.python_client import PythonClient
from tests.compat.site import Site, template_form

SILENCE_S = 12
"""The least that a template can say."""

LIMIT_S = 60.0
"""After a time without a hub, nodes get half a minute more."""

FIRST_LOG = b"of the first run"


class Held(NamedTuple):
    """A job, and the node that got it."""

    job: int
    node: PythonClient


class Silent(NamedTuple):
    """Nodes that died with a job each; the last one only works without a word.

    ``returning`` and ``late`` will come back.
    """

    site: Site
    running: Held
    acquired: Held
    returning: Held
    late: Held
    working: Held

    def is_noticed(self) -> None:
        """Wait until the jobs of all that died were taken from them."""
        dead = [held.job for held in (self.running, self.acquired, self.returning, self.late)]
        until(lambda: all("lost" in self.site.story(job) for job in dead), LIMIT_S)


@contextmanager
def silence_on(site: Site) -> Iterator[Silent]:
    """Let nodes fall silent on a hub."""
    form = template_form() | {"hub": {"silence_s": SILENCE_S}}
    template = actions.import_template(site.admin, form)["pk"]
    account = site.account()
    running, returning, late, working = (_begun(site, template, account) for _ in range(4))
    acquired = Held(_made(site, template), site.node(account))
    actions.acquire(acquired.node, acquired.job)
    is_over = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(_look_now_and_then, working, is_over)
        try:
            yield Silent(site, running, acquired, returning, late, working)
        finally:
            is_over.set()
    looking.result()


def _made(site: Site, template: int) -> int:
    pk: int = actions.create_job(site.admin, template, input_values={})["pk"]
    return pk


def _begun(site: Site, template: int, account: PythonClient) -> Held:
    job, node = _made(site, template), site.node(account)
    actions.acquire(node, job)
    actions.start(node, job, "email")
    actions.progress(node, job, 0.5, step=1)
    actions.add_output(node, job, "log", LOG_TYPE, FIRST_LOG)
    return Held(job, node)


def _look_now_and_then(working: Held, is_over: threading.Event) -> None:
    """Do what a worker does while its child process works and prints nothing."""
    while not is_over.wait(1.0):
        actions.retrieve(working.node, "jobs", working.job)
