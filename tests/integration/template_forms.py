"""Templates as they are imported: one of a contract, a bare one, a declared one, a graph of it."""

import copy
from typing import Any

import httpx

from tests.integration.conftest import HubClient, Json

IMAGES = "Domain<'Image Classification'>"
TORCH = "Framework<'pytorch', '1.6'>"
TRAINING = f"Train<{IMAGES},{TORCH}>"  # not as the hub would write it

TRAIN: Json = {
    "name": "train",
    "version": 3,
    "description": "Tell pictures apart.",
    "scope": "all",
    "licence": "Apache 2.0",
    "domain": "ic",
    "specific": {
        "job_type": TRAINING,
        "executor_class": "kennel.work.Train",
        "required_packages": "kennel==1.0 numpy",
        "parameters": {
            "epochs": {"types": ["int", "Array<int>"], "help": "rounds", "default": 5},
            "rate": {
                "types": ["float", "'auto'"],
                "help": "",
                "default": "auto",
                "default_type": "'auto'",
                "const": True,
            },
            "seed": {"types": ["Array< int >"], "help": "of each round"},
        },
    },
}
BARE: Json = {
    "name": "bare",
    "scope": "x",
    "licence": "MIT",
    "specific": {
        "job_type": "Export",
        "executor_class": "kennel.work.Export",
        "required_packages": "",
        "parameters": {},
    },
}
NATIVE: Json = {
    "name": "resize",
    "description": "Makes pictures smaller.",
    "inputs": {"picture": {"types": ["BLOB<'png'>", "JobOutput<BLOB<'png'>>"], "help": "any"}},
    "parameters": {"width": {"type": "int", "help": "In pixels.", "default": 640}, "modes": "str"},
    "outputs": {"picture": {"type": "BLOB<'png'>", "help": "The smaller one."}},
    "timeout_s": 60,
    "max_tries": 5,
    "priority": 7,
    "labels": {"team": "blue"},
    "requirements": {"cpus": 2, "mem": 512.5, "labels": {"gpu": "yes"}},
    "executor_class": "paint.jobs.Resize",
    "required_packages": "paint==1.0",
}
NATIVE_FORM: Json = {
    "name": "native",
    "version": 1,
    "specific": {
        **{name: NATIVE[name] for name in ("inputs", "parameters", "outputs")},
        "executor_class": "paint.jobs.Resize",
    },
    "hub": {
        "timeout_s": 60,
        "priority": 7,
        "labels": {"team": "blue"},
        "requirements": {"cpus": 2},
    },
}
CHAIN: Json = {
    "name": "chain",
    "description": "Smaller and smaller.",
    "scope": "all",
    "licence": "MIT",
    "specific": {
        "nodes": {
            "first": {"name": "resize"},
            "second": {
                "name": "resize",
                "version": 1,
                "parameter_default_overrides": {
                    "width": {"default": 320, "const": True},
                    "modes": {"default": "fast"},
                },
            },
        },
        "dependencies": [
            {
                "from_node": "first",
                "from_output": "picture",
                "to_node": "second",
                "to_input": "picture",
            }
        ],
    },
}
OWN = {"pk", "creation_time", "creator", "deletion_time"}
"""Members of a template that an import does not say."""


def but(form: Json, **members: Any) -> Json:
    """Return a form with other members; ``specific__x`` is member ``x`` of ``specific``."""
    changed = copy.deepcopy(form)
    for name, value in members.items():
        *path, last = name.split("__")
        place = changed
        for step in path:
            place = place[step]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return changed


async def send(hub_client: HubClient, form: Any) -> httpx.Response:
    return await hub_client.admin.post("/v1/job-templates/import", json=form)


async def imported(hub_client: HubClient, form: Json) -> Json:
    answer = await send(hub_client, form)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def exported(hub_client: HubClient, pk: int) -> Json:
    answer = await hub_client.admin.get(f"/v1/job-templates/{pk}/export")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def chained(hub_client: HubClient, form: Json = CHAIN) -> Json:
    """Import a graph of a template that is declared before."""
    await hub_client.template(**NATIVE)
    return await imported(hub_client, form)


async def active(hub_client: HubClient) -> list[Json]:
    return list((await hub_client.viewer.post("/v1/job-templates/list")).json())


def lasting(template: Json) -> Json:
    return {name: value for name, value in template.items() if name not in OWN}
