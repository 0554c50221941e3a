"""A worker in a process of its own, to be killed: takes a job, and reports on it for ever.

Usage: ``python -m tests.faults.lone_worker URL TOKEN NODE JOB``. It prints a line for each answer.
"""

import itertools
import sys
import time

import httpx

PAUSE_S = 0.1


def main(url: str, token: str, node: str, job: str) -> None:
    """Work until somebody ends it."""
    headers = {"Authorization": f"Bearer {token}", "Node-Id": node}
    path = f"{url}/v1/jobs/{job}"
    with httpx.Client(headers=headers, trust_env=False, timeout=60) as client:
        tell(client.get(f"{path}/acquire"))
        tell(client.post(f"{path}/start", json={"send_notification": ""}))
        for counter in itertools.count():
            tell(client.post(f"{path}/progress/0.5", json={"counter": counter}))
            time.sleep(PAUSE_S)


def tell(answer: httpx.Response) -> None:
    """Say how a call went, and go on only if it went well."""
    print(answer.status_code, answer.request.url.path, flush=True)  # noqa: T201  # to be read
    answer.raise_for_status()


if __name__ == "__main__":
    main(*sys.argv[1:])
