"""The objects that are values of a type: asked for by its text, or offered to a form."""

from typing import Any
from urllib.parse import quote

import pytest

from hub.api.known_values import KNOWN_MAX, known_values
from hub.api.lists import TRUNCATED
from hub.lifecycle.types import Named, parse
from tests.integration import OUTPUT, insert
from tests.integration.conftest import HubClient, Json

VALUES = "/v1/job-types/get-all-values"

FOUND: list[tuple[str, str, list[int]]] = [
    ("Framework", "frameworks", list(range(1, 18))),
    ("Framework<'yolo', 'v5'>", "frameworks", [12]),
    ("Framework<'yolo',str>", "frameworks", [12, 13]),
    (" Framework< str , '1.6' > ", "frameworks", [2]),
    ("Framework<'yolo', 'V5'>", "frameworks", []),
    ("Domain", "domains", [1, 2, 3, 4, 5]),
    ("Domain<'Speech'>", "domains", [5]),
    ("Domain<'sp'>", "domains", []),
    ("Domain<'it\\'s'>", "domains", []),
    ("Domain<'a/b//'>", "domains", []),
    ("Hardware", "hardware", list(range(1, 10))),
    ("CUDAVersion", "cuda", list(range(1, 22))),
    ("DockerImage", "docker", list(range(1, 26))),
    ("DockerImage<Domain<'Speech'>, Framework>", "docker", [23, 24, 25]),
    ("DockerImage<Domain, Framework<'yolo', 'v7'>>", "docker", [18, 21]),
    ("DockerImage<Domain<'Speech'>, Framework<'coqui_stt', '1.4.0'>>", "docker", [25]),
    ("DockerImage<Domain<'Speech'>, Framework<'yolo', 'v7'>>", "docker", []),
]
"""Type, where its objects are, and the numbers of those that are values of it."""

NONE_KEPT = ("Dataset", "Dataset<Domain<'Speech'>>", "PretrainedModel")

REFUSED = {
    "X": 'Error parsing type-string "X": Unknown type-name "X"',
    "Domain<X>": 'Error parsing type-string "Domain<X>": Unknown type-name "X"',
    "int": "int is not a server-resident type",
    "5": "5 is not a server-resident type",
    "Nothing": "Nothing is not a server-resident type",
    "PK<Domain>": "PK<Domain> is not a server-resident type",
    "Name<Domain<'Speech'>>": "Name<Domain<'Speech'>> is not a server-resident type",
    "Array<Domain>": "Array<Domain> is not a server-resident type",
    "Model": "Model is not a server-resident type",
    "Picture": "Picture is not a server-resident type",
    "ServerResidentType": "ServerResidentType is abstract",
    "NamedServerType": "NamedServerType is abstract",
}
BROKEN = (
    "Domain<",
    "Domain/",
    "Domain<'x'>/",
    "Domain<'a', 'b'>",
    "Domain<5>",
    "<",
    "'",
    "x" * 2_000,
)


def at(text: str) -> str:
    return f"{VALUES}/{quote(text, safe='/')}"


def numbers(entries: list[Json]) -> list[int]:
    return [entry["pk"] for entry in entries]


def named(text: str) -> Named:
    expr = parse(text)
    assert isinstance(expr, Named)
    return expr


async def outputs(hub_client: HubClient) -> Json:
    """Make a job with outputs of two attempts, one of them hidden; return the job."""
    job = await hub_client.job((await hub_client.template())["pk"])
    engine = hub_client.hub.engine
    of_job = OUTPUT | {"job": job["pk"], "name": "model", "creator": 2}
    await insert(
        engine,
        "outputs",
        of_job,
        {"type": "BLOB<'a'>", "attempt": 0},
        {"type": "Compressed<JSON, 8>", "attempt": 0},
        {"type": "BLOB<'a'>", "attempt": 0, "name": "other"},
        {"type": "BLOB<'a'>", "attempt": 0, "name": "hidden", "deleted_us": 5},
        {"type": "BLOB<'a'>", "attempt": 1, "name": "former"},
        {"type": "BLOB<str>", "attempt": 0, "name": "any"},
    )
    return job


async def test_the_values_of_a_type_are_those_on_its_own_list(hub_client: HubClient) -> None:
    for text, path, pks in FOUND:
        answer = await hub_client.user.get(at(text))
        listed = (await hub_client.user.post(f"/v1/{path}/list")).json()

        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert (text, numbers(answer.json())) == (text, pks)
        assert answer.json() == [one for one in listed if one["pk"] in pks]


async def test_every_slash_counts(hub_client: HubClient) -> None:
    framework = {"name": "a//b/", "version": "1"}
    made = await hub_client.admin.post("/v1/frameworks/create", json=framework)

    exactly = await hub_client.viewer.get(at("Framework<'a//b/', str>"))
    almost = await hub_client.viewer.get(at("Framework<'a/b/', str>"))

    assert exactly.json() == [made.json()]
    assert almost.json() == []


async def test_this_hub_keeps_neither_datasets_nor_pretrained_models(
    hub_client: HubClient,
) -> None:
    for text in NONE_KEPT:
        answer = await hub_client.viewer.get(at(text))

        assert (answer.status_code, answer.json()) == (200, [])


async def test_outputs_are_found_by_the_exact_text_of_their_type(hub_client: HubClient) -> None:
    await outputs(hub_client)
    for text, pks in {
        "JobOutput<BLOB<'a'>>": [1, 3],
        "JobOutput<BLOB>": [6],
        "JobOutput<Compressed<JSON, 8>>": [2],
        "JobOutput<Compressed<JSON,8>>": [2],
        "JobOutput<JSON>": [],
    }.items():
        answer = await hub_client.viewer.get(at(text))

        assert (text, numbers(answer.json())) == (text, pks)
    shown = (await hub_client.viewer.get("/v1/job-outputs/2")).json()
    found = await hub_client.viewer.get(at("JobOutput<Compressed<JSON, 8>>"))
    assert found.json() == [shown]


async def test_what_is_no_type_of_objects_is_refused_in_known_words(hub_client: HubClient) -> None:
    picture = {"name": "Picture", "pkg": "p", "cls": "p.Picture"}
    assert (await hub_client.admin.post("/v1/job-types", json=picture)).status_code == 201
    for text, detail in REFUSED.items():
        answer = await hub_client.viewer.get(at(text))

        assert (answer.status_code, answer.json()["detail"]) == (400, detail)
        assert answer.json()["code"] == "bad_type"
    for text in BROKEN:
        answer = await hub_client.viewer.get(at(text))

        assert answer.status_code == 400, text
        assert answer.json()["detail"].startswith("Error parsing type-string"), text


async def test_a_type_can_be_written_as_browsers_write_it(hub_client: HubClient) -> None:
    for path in (
        "/DockerImage%3CDomain%3C'Speech'%3E,%20Framework%3C'coqui_stt',%20'1.4.0'%3E%3E",
        "/DockerImage%3CDomain%3C%27Speech%27%3E%2C%20Framework<'coqui_stt','1.4.0'>>",
    ):
        answer = await hub_client.viewer.get(VALUES + path)

        assert numbers(answer.json()) == [25]


async def test_whoever_is_not_signed_in_learns_nothing(hub_client: HubClient) -> None:
    for text in ("Domain", "X"):
        answer = await hub_client.viewer.get(at(text), headers={"Authorization": ""})

        assert answer.status_code == 401


async def test_long_lists_are_cut_and_say_so(
    hub_client: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_client.hub.desk, "list_max", 5)

    cut = await hub_client.viewer.get(at("CUDAVersion"))
    whole = await hub_client.viewer.get(at("Domain"))

    assert numbers(cut.json()) == [1, 2, 3, 4, 5]
    assert cut.headers[TRUNCATED] == "true"
    assert len(whole.json()) == 5
    assert TRUNCATED not in whole.headers


# --- What a form can offer ------------------------------------------------------------------------


async def test_a_form_can_offer_numbers_and_names(hub_client: HubClient) -> None:
    await outputs(hub_client)
    expected: dict[str, list[Any]] = {
        "PK<Framework<'yolo', str>>": [12, 13],
        "PK<Domain<str>>": [1, 2, 3, 4, 5],
        "PK<JobOutput<BLOB<'a'>>>": [1, 3],
        "PK<DockerImage<Domain<'Speech'>, Framework<str, str>>>": [23, 24, 25],
        "PK<Dataset<Domain<str>>>": [],
        "Name<Dataset<Domain<str>>>": [],
        "Name<Domain<'Speech'>>": ["Speech"],
        "Name<Hardware>": [
            *("Fermi", "Kepler", "Maxwell", "Pascal", "Volta", "Turing", "Ampere"),
            *("Ada Lovelace", "Hopper"),
        ],
        "Name<DockerImage<Domain<'Image Segmentation'>, Framework<str, str>>>": [
            "mmsegmentation v0.30.0"
        ],
        "Name<PretrainedModel<Domain<str>, Framework<str, str>>>": [],
    }

    known = await known_values(hub_client.hub.engine, [named(text) for text in expected])

    assert known == expected


async def test_the_names_of_cuda_versions_are_the_full_ones(hub_client: HubClient) -> None:
    known = await known_values(hub_client.hub.engine, [named("Name<CUDAVersion>")])

    assert known["Name<CUDAVersion>"][:2] == ["12.1.0", "12.0.0"]


async def test_a_form_is_not_offered_more_than_it_can_show(hub_client: HubClient) -> None:
    engine = hub_client.hub.engine
    rows = [{"pk": 100 + n, "name": f"f{n}", "version": "1"} for n in range(KNOWN_MAX)]
    await insert(engine, "frameworks", {}, *rows)

    known = await known_values(engine, [named("PK<Framework>")])

    assert len(known["PK<Framework<str, str>>"]) == KNOWN_MAX
