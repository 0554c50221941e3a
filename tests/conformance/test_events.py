"""The log over HTTP: what happened, in order, without a hole, from any place on."""

import pytest
from httpx import Response

from tests.conformance.foreign import Json, World, good, problem


def story(world: World) -> int:
    """Return a job that lived through some of everything."""
    job, node = world.running()
    for step in range(3):
        good(node.progress(job, step / 10, {"step": step}))
    good(node.upload(job))
    good(node.finish(job, "it broke"))
    good(node.reset(job))
    good(node.start(job))
    good(node.progress(job, 0.5))
    good(node.finish(job))
    return job


def pages(world: World, path: str, after: str, limit: int) -> list[Json]:
    """Return all items behind a cursor, page by page."""
    items: list[Json] = []
    while True:
        page = good(world.viewer.get(f"{path}?after={after}&limit={limit}"))
        assert page.keys() == {"items", "cursor", "head"}
        assert len(page["items"]) <= limit
        items += page["items"]
        after = page["cursor"]
        if after == page["head"]:
            return items


def test_the_events_of_a_job_are_numbered_without_a_hole(world: World) -> None:
    events = world.events(story(world))

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["transition"] for event in events] == [
        *("create", "acquire", "start", "progress", "progress", "progress", "output", "error"),
        *("reset", "start", "progress", "finish"),
    ]
    places = [event["g"] for event in events]
    assert places == sorted(set(places))


def test_a_progress_repeats_the_number_of_the_last_transition(world: World) -> None:
    last = 0
    for event in world.events(story(world)):
        is_progress = event["type"] == "job.progress"
        assert is_progress == (event["transition"] == "progress")
        assert event["tseq"] == last + (not is_progress)
        last = event["tseq"]


def test_each_event_begins_where_the_one_before_ended(world: World) -> None:
    status = None
    for event in world.events(story(world)):
        assert event["from_status"] == status
        status = event["to_status"]
    assert status == "COMPLETED"


def test_the_last_event_tells_what_the_job_is(world: World) -> None:
    job = story(world)
    shown, last = world.job(job), world.events(job)[-1]

    for member in ("status", "progress_amount", "description", "node", "attempt", "priority"):
        assert last["data"]["row"][member] == shown[member]
    assert (last["node"], last["attempt"]) == (shown["node"], shown["attempt"])


def test_a_progress_event_holds_the_workers_own_body(world: World) -> None:
    job, node = world.running()
    body = {"node": 1, "progress": "x", "self": None, "ä": ["\u2028", 2**53, {"deep": [[]]}]}

    good(node.progress(job, 0.5, body))

    assert world.events(job)[-1]["data"] == body


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_the_log_of_all_jobs_can_be_read_page_by_page(world: World, limit: int) -> None:
    before = world.head()
    jobs = [story(world), story(world)]

    items = pages(world, "/v1/events", before, limit)

    first = int(before.rpartition(":")[2]) + 1
    assert [item["g"] for item in items] == list(range(first, first + len(items)))
    assert [item for item in items if item["job"] == jobs[0]] == world.events(jobs[0])
    assert [item for item in items if item["job"] == jobs[1]] == world.events(jobs[1])
    assert len(items) == 24


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_the_log_of_one_job_can_be_read_page_by_page(world: World, limit: int) -> None:
    before = world.head()
    job = story(world)
    story(world)

    assert pages(world, f"/v1/jobs/{job}/events", before, limit) == world.events(job)


def test_every_cursor_of_a_page_leads_on_from_there(world: World) -> None:
    before = world.head()
    job = story(world)
    events = world.events(job)
    first = good(world.viewer.get(f"/v1/events?after={before}&limit=5"))

    behind = good(world.viewer.get(f"/v1/events?after={first['cursor']}&limit=1000"))["items"]

    assert first["items"] + behind == events
    answer = world.viewer.get(f"/v1/events?after={before}&limit=5")
    assert answer.headers["x-hub-cursor"] == first["cursor"]


def test_the_cursor_of_a_job_leads_to_what_comes_after_it(world: World) -> None:
    job, node = world.running()
    cursor = world.viewer.get(f"/v1/jobs/{job}").headers["x-hub-cursor"]

    good(node.progress(job, 0.5, {"step": 1}))

    behind = good(world.viewer.get(f"/v1/events?after={cursor}"))["items"]
    assert [(item["job"], item["data"]) for item in behind] == [(job, {"step": 1})]


def test_at_the_head_there_is_nothing_and_the_cursor_stays(world: World) -> None:
    head = world.head()

    page = good(world.viewer.get(f"/v1/events?after={head}"))

    assert page == {"items": [], "cursor": head, "head": head}


def test_a_cursor_that_this_log_never_gave_is_gone(world: World) -> None:
    job = world.new_job()
    version, epoch, number = world.head().split(":")
    other = "".join("b" if letter == "a" else "a" for letter in epoch)

    for path in ("/v1/events", f"/v1/jobs/{job}/events"):
        for cursor in (f"{version}:{other}:{number}", f"{version}:{epoch}:{int(number) + 10_000}"):
            problem(world.viewer.get(f"{path}?after={cursor}"), 410, "cursor_gone")


def test_a_text_that_is_no_cursor_is_refused(world: World) -> None:
    job = world.new_job()
    epoch = world.head().split(":")[1]
    garbage = ["", "x", "5", f"v2:{epoch}:1", f"v1:{epoch}:-1", f"v1:{epoch}:1x", f"v1:{epoch}:01"]
    garbage += [
        f"v1:{epoch}:" + "9" * 30,
        f"v1:{epoch}:1%00",
        "v1:../..:1",
        "%F0%9F%98%80",
        "v1::1",
    ]

    for path in ("/v1/events", f"/v1/jobs/{job}/events"):
        for cursor in garbage:
            problem(world.viewer.get(f"{path}?after={cursor}"), 400)


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "1000000000", "x", "1.5", "", "9" * 40])
def test_a_limit_out_of_bounds_is_refused(world: World, limit: str) -> None:
    job = world.new_job()

    problem(world.viewer.get(f"/v1/events?limit={limit}"), 400)
    problem(world.viewer.get(f"/v1/jobs/{job}/events?limit={limit}"), 400)


def test_the_events_of_a_job_that_is_not_there_are_not_found(world: World) -> None:
    problem(world.viewer.get(f"/v1/jobs/{2**40}/events"), 404)


def test_the_events_of_a_removed_job_are_blank_in_the_log(world: World) -> None:
    before = world.head()
    job = world.new_job(description="secret plan")
    good(world.admin.delete(f"/v1/jobs/{job}/hard"))

    answer = world.viewer.get(f"/v1/events?after={before}")

    first, last = good(answer)["items"]
    assert first["job"] == last["job"] == job
    assert "secret plan" not in answer.text
    assert last["g"] == first["g"] + 1


BATCH = "application/cloudevents-batch+json"
FORMS = [
    ("&format=cloudevents", "*/*"),
    ("&format=cloudevents", "application/json"),
    ("", BATCH),
    ("", "application/cloudevents+json"),
    ("", f"text/html;q=0.5, {BATCH}"),
]


def asked(world: World, path: str, accept: str) -> Response:
    return world.viewer.ask("GET", path, headers={"Accept": accept})


@pytest.mark.parametrize(("query", "accept"), FORMS)
def test_events_can_be_had_as_cloudevents(world: World, query: str, accept: str) -> None:
    before = world.head()
    job = story(world)
    epoch = before.split(":")[1]
    for path in (f"/v1/jobs/{job}/events", "/v1/events"):
        answer = asked(world, f"{path}?after={before}{query}", accept)

        assert answer.headers["content-type"] == BATCH
        assert answer.headers["x-hub-cursor"] == answer.headers["x-hub-head"] == world.head()
        assert answer.headers["vary"] == "Accept"
        assert good(answer) == [
            {
                "specversion": "1.0",
                "id": f"{epoch}:{event['g']}",
                "source": f"/jobs/{job}",
                "type": event["type"],
                "subject": event["transition"],
                "time": event["time"],
                "datacontenttype": "application/json",
                "sequence": f"{event['g']:020}",
                "data": event,
            }
            for event in world.events(job)
        ]


@pytest.mark.parametrize("limit", [1, 5])
def test_cloudevents_can_be_read_page_by_page(world: World, limit: int) -> None:
    after = world.head()
    job = story(world)
    told: list[Json] = []
    head = ""

    while after != head:
        path = f"/v1/events?format=cloudevents&after={after}&limit={limit}"
        answer = world.viewer.get(path)
        told += good(answer)
        after, head = answer.headers["x-hub-cursor"], answer.headers["x-hub-head"]

    assert [one["data"] for one in told] == world.events(job)


@pytest.mark.parametrize("accept", ["*/*", "text/html", f"{BATCH};q=inf", "application/json", "x"])
def test_who_asks_for_nothing_else_gets_the_page(world: World, accept: str) -> None:
    job = world.new_job()
    for query in ("", "?format=json"):
        answer = asked(world, f"/v1/jobs/{job}/events{query}", accept)
        assert answer.headers["content-type"] == "application/json"
        assert good(answer)["items"] == world.events(job)


def test_a_format_that_there_is_not_is_refused(world: World) -> None:
    job = world.new_job()
    for path in ("/v1/events", f"/v1/jobs/{job}/events"):
        for given in ("xml", "", "cloudevents,json"):
            problem(world.viewer.get(f"{path}?format={given}"), 400)


def test_a_cursor_that_is_gone_is_a_problem_in_every_form(world: World) -> None:
    problem(world.viewer.get("/v1/events?format=cloudevents&after=v1:zz:1"), 410, "cursor_gone")
