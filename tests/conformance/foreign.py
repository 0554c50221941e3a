"""The foreign client and node: they know the documents of the job API and nothing of the hub."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx

from tests.conformance.hub_process import PASSWORD, HubProcess

Json = Any
"""What an answer holds."""

LOG_TYPE = "Compressed%3CJSON,%208%3E"
"""The type of a worker's log, as the Python client writes it into a path."""

FREE_JOBS: Json = {
    "expressions": [
        {
            "type": "and",
            "sub_expressions": [
                {"field": "start_time", "type": "isnull"},
                {"field": "error_reason", "type": "isnull"},
                {"field": "node", "type": "isnull"},
                {"field": "template.workabletemplate", "type": "isnull", "invert": True},
            ],
        }
    ]
}
"""The filter with which a worker polls."""


class Client:
    """An account that calls the hub, or nobody; with ``node`` it calls as that node.

    Every call is a connection of its own, as with the Python client that workers use.
    """

    def __init__(self, http: httpx.Client, token: str | None = None, node: int | None = None):
        self._http = http
        self.token = token
        self.node = node

    def signed_in(self, username: str, password: str) -> Self:
        """Return the client of an account."""
        answer = self.post("/v1/auth/obtain", {"username": username, "password": password})
        assert answer.status_code == 200, answer.text
        return type(self)(self._http, answer.json()["access"])

    def as_node(self, node: int) -> Self:
        """Return this account's client that calls as ``node``."""
        return type(self)(self._http, self.token, node)

    @property
    def headers(self) -> dict[str, str]:
        """What this client says of itself in every call."""
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return headers if self.node is None else headers | {"Node-Id": str(self.node)}

    def ask(
        self,
        method: str,
        path: str,
        json: Json = None,
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer to one call; ``json`` is sent unless it is ``None``."""
        said = self.headers | (headers or {})
        return self._http.request(method, path, json=json, content=content, headers=said)

    def get(self, path: str) -> httpx.Response:
        return self.ask("GET", path)

    def post(self, path: str, json: Json = None) -> httpx.Response:
        return self.ask("POST", path, json)

    def put(self, path: str, json: Json = None) -> httpx.Response:
        return self.ask("PUT", path, json)

    def patch(self, path: str, json: Json = None) -> httpx.Response:
        return self.ask("PATCH", path, json)

    def delete(self, path: str) -> httpx.Response:
        return self.ask("DELETE", path)

    # What a node does with a job.

    def acquire(self, job: int) -> httpx.Response:
        return self.get(f"/v1/jobs/{job}/acquire")

    def release(self, job: int) -> httpx.Response:
        return self.delete(f"/v1/jobs/{job}/release")

    def start(self, job: int) -> httpx.Response:
        return self.post(f"/v1/jobs/{job}/start", {"send_notification": "email"})

    def progress(self, job: int, amount: float | str, body: Json = None) -> httpx.Response:
        return self.post(f"/v1/jobs/{job}/progress/{amount}", body)

    def finish(self, job: int, error: str | None = None) -> httpx.Response:
        said = {"success": error is None, "send_notification": "email"}
        return self.post(
            f"/v1/jobs/{job}/finish", said if error is None else said | {"error": error}
        )

    def reset(self, job: int) -> httpx.Response:
        return self.delete(f"/v1/jobs/{job}/reset")

    def upload(self, job: int, name: str = "log", content: bytes = b"zip") -> httpx.Response:
        headers = {
            "Content-Type": "application/data",
            "Content-Disposition": f"attachment; filename={name}",
        }
        path = f"/v1/jobs/{job}/outputs/{name}/{LOG_TYPE}"
        return self.ask("POST", path, content=content, headers=headers)

    # What a user does with a job.

    def abort(self, job: int) -> httpx.Response:
        return self.delete(f"/v1/jobs/{job}/abort")

    def cancel(self, job: int) -> httpx.Response:
        return self.delete(f"/v1/jobs/{job}/cancel")


class World:
    """A hub with an account for each sort of caller and a template; nodes and jobs on demand.

    What it looks up itself goes over one lasting connection: most calls of a run are its looks.

    Attributes:
        nobody: Calls without a token.
        creator: The user who makes the jobs.
        worker: The user whose nodes work.
        stranger: A user who has nothing to do with either.
        viewer: May read only.
    """

    def __init__(self, hub: HubProcess, http: httpx.Client, lasting: httpx.Client) -> None:
        self.hub = hub
        self.http = http
        self.nobody = Client(http)
        self.admin = self.nobody.signed_in("admin", PASSWORD)
        self._observer = Client(lasting, self.admin.token)
        self.creator = self._account("creator", "user")
        self.worker = self._account("worker", "user")
        self.stranger = self._account("stranger", "user")
        self.viewer = self._account("viewer", "viewer")
        self._numbers = itertools.count(1)
        self.template = self.new_template(
            name="resize",
            inputs={"picture": "str"},
            parameters={"width": {"type": "int", "default": 640}},
        )

    def _account(self, username: str, role: str) -> Client:
        account = {"username": username, "password": f"{username}-password", "role": role}
        good(self.admin.post("/v1/users/create", account), 201)
        return self.nobody.signed_in(username, f"{username}-password")

    def new_template(self, **members: Json) -> int:
        """Return the number of a new template that workers can run."""
        members = {"executor_class": "some.Executor", **members}
        pk: int = good(self.admin.post("/v1/job-templates", members), 201)["pk"]
        return pk

    def new_node(self, account: Client | None = None) -> Client:
        """Return a new node of ``account``, by default of the worker's."""
        account = account or self.worker
        number = next(self._numbers)
        said = {"ip": f"10.0.{number // 250}.{number % 250}", "index": number, "cpu_mem": 1024}
        return account.as_node(good(account.post("/v1/nodes/create", said), 201)["pk"])

    def new_job(self, **members: Json) -> int:
        """Return the number of a new job of the creator's."""
        values = {"picture": {"value": "a.png", "type": "str"}}
        said = {"template": self.template, "input_values": values, "parameter_values": {}}
        pk: int = good(self.creator.post("/v1/jobs", said | members), 201)["pk"]
        return pk

    def running(self) -> tuple[int, Client]:
        """Return a new job, and the node that runs it."""
        job, node = self.new_job(), self.new_node()
        good(node.acquire(job))
        good(node.start(job))
        return job, node

    def job(self, job: int) -> Json:
        """Return what the hub says of a job."""
        return self.job_and_head(job)[0]

    def job_and_head(self, job: int) -> tuple[Json, str]:
        """Return what the hub says of a job, and where the log of all jobs ended at that moment."""
        answer = self._observer.get(f"/v1/jobs/{job}")
        return good(answer), answer.headers["x-hub-cursor"]

    def events(self, job: int) -> Json:
        """Return all events of a job."""
        return good(self._observer.get(f"/v1/jobs/{job}/events?limit=1000"))["items"]

    def transitions(self, job: int) -> list[str]:
        """Return the names of what happened to a job, oldest first."""
        return [event["transition"] for event in self.events(job)]

    def head(self) -> str:
        """Return where the log ends: it moves when any job changes."""
        head: str = good(self._observer.get("/v1/events?limit=1"))["head"]
        return head


@contextmanager
def world_on(hub: HubProcess) -> Iterator[World]:
    """The world of a new hub."""
    # No idle connection is kept, so each call opens one.
    limits = httpx.Limits(max_keepalive_connections=0)
    with (
        httpx.Client(base_url=hub.url, limits=limits, trust_env=False, timeout=10.0) as http,
        httpx.Client(base_url=hub.url, trust_env=False, timeout=10.0) as lasting,
    ):
        yield World(hub, http, lasting)


def good(answer: httpx.Response, status: int = 200) -> Json:
    """Return what an answer of success holds."""
    assert answer.status_code == status, f"{answer.request.url}: {answer.text}"
    return answer.json()


def problem(answer: httpx.Response, status: int, code: str | None = None) -> Json:
    """Return what an error holds; every one has the same form."""
    assert answer.status_code == status, f"{answer.request.method} {answer.url}: {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said.keys() >= {"type", "title", "status", "detail", "instance", "code"}
    assert said["status"] == status
    assert isinstance(said["detail"], str)
    assert isinstance(said["code"], str)
    assert code is None or said["code"] == code
    return said
