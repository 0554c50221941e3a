"""A hub's world with whatever a call can be about, and all of its state that calls can see."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.conformance.foreign import Client, World, good

Json = Any

LISTED = (
    *("users", "nodes", "hardware", "cuda", "frameworks", "domains", "licences", "docker"),
    *("job-types", "job-contracts", "job-templates", "job-outputs"),
)
"""What has a list call that shows all there is."""

PASSWORD = "a canary of a password"


class Ground:
    """Makes things for calls to be about: each gets its own, so none spoils another's.

    Args:
        world: The hub's, with an account of each sort.
        http: What the world's clients call with.
        log: The file into which the hub says what it does.

    Attributes:
        template: From which its jobs are made.
        refresh: A refresh token of the viewer's.
        admins_node: A node of the administrator's; the others are the worker's and the stranger's.
    """

    def __init__(self, world: World, http: httpx.Client, log: Path) -> None:
        self.world = world
        self._http = http
        self._log = log
        self._numbers = itertools.count(1)
        self._jobs: list[int] = []
        self._seen = 0
        self.template = self.new("job_templates")
        self.admins_node = world.new_node(world.admin)
        self.workers_node = world.new_node()
        self.strangers_node = world.new_node(world.stranger)
        said = {"username": "viewer", "password": "viewer-password"}
        self.refresh: str = good(world.nobody.post("/v1/auth/obtain", said))["refresh"]

    def with_token(self, token: str | None) -> Client:
        """Return a client that calls with a token of any kind."""
        return Client(self._http, token)

    def said(self) -> str:
        """Return all that the hub wrote into its log."""
        return self._log.read_text(errors="replace")

    # Things

    def number(self) -> int:
        """Return a number that was not used yet."""
        return next(self._numbers)

    def new(self, kind: str) -> int:
        """Return the number of a new thing that an administrator made."""
        path, members = MADE[kind]
        pk: int = good(self.world.admin.post(path, members(self.number())), 201)["pk"]
        return pk

    def job(self) -> int:
        values = {"text": {"value": "x", "type": "str"}}
        job = self.world.new_job(template=self.template, input_values=values)
        self._jobs.append(job)
        return job

    def acquired(self) -> tuple[int, Client]:
        job, node = self.job(), self.world.new_node()
        good(node.acquire(job))
        return job, node

    def running(self) -> tuple[int, Client]:
        job, node = self.acquired()
        good(node.start(job))
        return job, node

    def failed(self) -> tuple[int, Client]:
        job, node = self.running()
        good(node.finish(job, "it broke"))
        return job, node

    def lost(self) -> tuple[int, Client]:
        """Return a job, and a node that uploaded something after it had lost it."""
        job, node = self.running()
        good(self.world.admin.abort(job))
        assert node.upload(job).status_code == 403
        return job, node

    def output(self) -> tuple[int, int]:
        """Return a running job and the number of its output ``log``."""
        job, node = self.running()
        return job, good(node.upload(job))["pk"]

    def token(self) -> int:
        """Return the number of a new token of the creator's."""
        said = {"name": f"token {self.number()}"}
        pk: int = good(self.world.creator.post("/v1/tokens", said), 201)["pk"]
        return pk

    def tidy(self) -> None:
        """Remove the jobs and tokens made so far: jobs hold megabytes, tokens are limited."""
        admin = self.world.admin
        for job in self._jobs:
            admin.delete(f"/v1/jobs/{job}/cancel")
            admin.delete(f"/v1/jobs/{job}/hard")
        self._jobs.clear()
        for token in good(admin.get("/v1/tokens?all=true")):
            admin.delete(f"/v1/tokens/{token['pk']}")

    # State

    def state(self) -> dict[str, Json]:
        """Return all that bad input must not change; when somebody was last seen may."""
        admin = self.world.admin
        found: dict[str, Json] = {"log": self.world.head(), "audit": self.audit(self._seen)}
        for name in LISTED:
            rows = good(admin.post(f"/v1/{name}/list", {"include_inactive": True}))
            found[name] = [_lasting(row) for row in rows]
        found["jobs"] = good(admin.get("/v1/jobs?limit=1000&include_deleted=true"))["items"]
        found["tokens"] = good(admin.get("/v1/tokens?all=true"))
        return found

    def audit(self, behind: int = 0) -> list[Json]:
        """Return what the audit says behind a number."""
        admin = self.world.admin
        rows: list[Json] = []
        following: int | None = behind
        while following is not None:
            page = good(admin.get(f"/v1/audit?limit=1000&after={following}"))
            rows += page["items"]
            following = page["next"]
        return rows

    def noted(self) -> list[Json]:
        """Return what the audit says since this was asked last."""
        rows = self.audit(behind=self._seen)
        self._seen = max((row["pk"] for row in rows), default=self._seen)
        return rows


def _lasting(row: Json) -> Json:
    return {name: value for name, value in row.items() if name not in ("last_seen", "last_login")}


# The members of new things, by a number that makes each another one


def node_members(n: int) -> Json:
    return {"ip": f"10.9.{n // 250}.{n % 250}", "index": n, "cpu_mem": 1, "driver_version": "1"}


def hardware_members(n: int) -> Json:
    # Halves of halves: sums of them are exact.
    least = n / 128
    return {
        "generation": f"g{n}",
        "min_compute_capability": least % 900,
        "max_compute_capability": least % 900 + 1 / 128,
    }


def cuda_members(n: int) -> Json:
    return {
        "version": f"{n // 10 % 900 + 99}.{n % 10}",
        "full_version": f"full {n}",
        "min_driver_version": "1",
    }


def framework_members(n: int) -> Json:
    return {"name": f"framework{n}", "version": "1"}


def licence_members(n: int) -> Json:
    return {"name": f"licence{n}", "url": "somewhere", "permissions": ["Private use"]}


def docker_members(n: int) -> Json:
    return {
        "name": f"image{n}",
        "version": "1",
        "url": "registry/image:1",
        "registry_url": "registry",
        "registry_username": PASSWORD,
        "registry_password": PASSWORD,
        "cuda_version": "11.1",
        "framework": 1,
        "domain": "ic",
        "tasks": ["Train"],
        "min_hardware_generation": "Pascal",
        "cpu": False,
        "licence": "MIT",
    }


def class_members(n: int) -> Json:
    return {"name": f"Kind{n}", "pkg": "some.kinds", "cls": f"some.kinds.Kind{n}"}


def user_members(n: int) -> Json:
    return {"username": f"account{n}", "password": PASSWORD, "role": "user"}


def template_members(n: int) -> Json:
    return {
        "name": f"template{n}",
        "version": 1,
        "inputs": {"text": "str"},
        "parameters": {"size": {"type": "int", "default": 1}},
        "outputs": {"picture": "BLOB<'png'>"},
        "labels": {"team": "a"},
        "requirements": {"cpus": 1},
    }


def template_form(n: int) -> Json:
    return {
        "name": f"imported{n}",
        "version": 1,
        "description": "",
        "scope": "all",
        "licence": "MIT",
        "domain": "ic",
        "specific": {
            "job_type": "Export",
            "executor_class": "some.Executor",
            "required_packages": "",
            "parameters": {"size": {"types": ["int"], "help": "", "default": 1}},
        },
        "hub": {"labels": {"team": "a"}},
    }


MADE: dict[str, tuple[str, Callable[[int], Json]]] = {
    "hardware": ("/v1/hardware/create", hardware_members),
    "cuda": ("/v1/cuda/create", cuda_members),
    "frameworks": ("/v1/frameworks/create", framework_members),
    "licences": ("/v1/licences/create", licence_members),
    "docker": ("/v1/docker/create", docker_members),
    "job_types": ("/v1/job-types", class_members),
    "job_contracts": ("/v1/job-contracts", class_members),
    "job_templates": ("/v1/job-templates", template_members),
    "users": ("/v1/users/create", user_members),
}
