"""In which order jobs are shown, to whom, and how many at once."""

from collections.abc import Iterator

import pytest

from tests.conformance.foreign import FREE_JOBS, Json, World, good, problem, world_on
from tests.conformance.hub_process import StartHub


def of_template(template: int) -> Json:
    return {"expressions": [{"type": "exact", "field": "template", "value": template}]}


def pks(jobs: Json) -> list[int]:
    return [job["pk"] for job in jobs]


@pytest.fixture
def template(world: World) -> Iterator[int]:
    """A template of the test's own, so that it sees its own jobs alone."""
    template = world.new_template(name="ordered")
    yield template
    for job in good(world.viewer.post("/v1/jobs/list", of_template(template))):
        world.creator.cancel(job["pk"])


def make(world: World, template: int, **members: Json) -> int:
    return world.new_job(template=template, input_values={}, **members)


# --- POST /v1/jobs/list ---------------------------------------------------------------------------


def test_the_most_urgent_job_comes_first_and_of_those_the_oldest(
    world: World, template: int
) -> None:
    normal = [make(world, template) for _ in range(2)]
    late = make(world, template, priority=500)
    urgent = [make(world, template, priority=1) for _ in range(2)]

    listed = good(world.viewer.post("/v1/jobs/list", of_template(template)))

    assert pks(listed) == [*urgent, *normal, late]
    assert [job["priority"] for job in listed] == [1, 1, 100, 100, 500]


def test_a_worker_that_polls_sees_the_free_jobs_in_the_order_to_try_them(
    world: World, template: int
) -> None:
    free, taken, canceled, urgent, failed = (
        make(world, template, priority=priority) for priority in (0, 0, 0, 0, 0)
    )
    other = world.new_node()
    good(other.acquire(taken))
    good(world.creator.cancel(canceled))
    failing = world.new_node()
    good(failing.acquire(failed))
    good(failing.start(failed))
    good(failing.finish(failed, "it broke"))
    good(failing.release(failed))

    polled = pks(good(world.new_node().post("/v1/jobs/list", FREE_JOBS)))

    assert [pk for pk in polled if pk in (free, taken, canceled, urgent, failed)] == [free, urgent]


def test_a_template_that_no_worker_could_run_is_not_offered(world: World) -> None:
    template = world.new_template(name="by hand", executor_class=None)
    job = make(world, template, priority=0)

    polled = good(world.new_node().post("/v1/jobs/list", FREE_JOBS))

    assert job not in pks(polled)
    assert pks(good(world.viewer.post("/v1/jobs/list", of_template(template)))) == [job]


def test_deleted_jobs_are_listed_only_when_they_are_asked_for(world: World, template: int) -> None:
    stays, goes = make(world, template), make(world, template)
    assert world.admin.delete(f"/v1/jobs/{goes}").status_code == 204

    active = good(world.viewer.post("/v1/jobs/list", of_template(template)))
    everything = of_template(template) | {"include_inactive": True}
    listed = good(world.viewer.post("/v1/jobs/list", everything))

    assert pks(active) == [stays]
    assert pks(listed) == [stays, goes]
    assert listed[1]["deletion_time"] is not None


def test_the_filters_own_order_wins(world: World, template: int) -> None:
    first, second, third = (
        make(world, template, description=text, priority=priority)
        for text, priority in (("b", 1), ("c", 2), ("a", 3))
    )
    spec = of_template(template)

    by_text = spec | {"order_by": [{"field": "description", "ascending": False}]}
    assert pks(good(world.viewer.post("/v1/jobs/list", by_text))) == [second, first, third]
    by_pk = spec | {"order_by": [{"field": "template.name"}, {"field": "pk", "ascending": False}]}
    assert pks(good(world.viewer.post("/v1/jobs/list", by_pk))) == [third, second, first]


def test_an_absent_an_empty_and_an_object_body_list_the_same(world: World) -> None:
    world.new_job()
    typed = {"Content-Type": "application/json"}

    bare = world.viewer.post("/v1/jobs/list")
    empty = world.viewer.post("/v1/jobs/list", {})
    typed_and_absent = world.viewer.ask("POST", "/v1/jobs/list", content=b"", headers=typed)

    assert good(bare) == good(empty) == good(typed_and_absent)
    assert "x-hub-truncated" not in bare.headers


def test_a_long_list_is_cut_and_says_so(start_hub: StartHub) -> None:
    with start_hub(HUB_LIST_MAX="5") as hub, world_on(hub) as world:
        made = [world.new_job() for _ in range(5)]
        whole = world.viewer.post("/v1/jobs/list")
        assert pks(good(whole)) == made
        assert "x-hub-truncated" not in whole.headers

        urgent = world.new_job(priority=1)
        cut = world.viewer.post("/v1/jobs/list")

        assert pks(good(cut)) == [urgent, *made[:4]]
        assert cut.headers["x-hub-truncated"] == "true"
        assert hub.stop() == 0


def test_a_long_list_is_whole(world: World) -> None:
    # No worker is offered these, so they are in nobody's way.
    template = world.new_template(name="many", executor_class=None)
    made = [make(world, template) for _ in range(520)]

    assert pks(good(world.viewer.post("/v1/jobs/list", of_template(template)))) == made


# --- GET /v1/jobs ---------------------------------------------------------------------------------


def walked(world: World, query: str) -> list[list[int]]:
    """Return the jobs of each page, to the last."""
    found: list[list[int]] = []
    cursor = ""
    while True:
        page = good(world.viewer.get(f"/v1/jobs?{query}{cursor}"))
        assert page.keys() == {"items", "next"}
        found.append(pks(page["items"]))
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


@pytest.mark.parametrize(
    ("order", "places"),
    [
        ("", [4, 3, 2, 1, 0]),
        ("&order=-created", [4, 3, 2, 1, 0]),
        ("&order=created", [0, 1, 2, 3, 4]),
        ("&order=priority", [1, 3, 0, 2, 4]),
        ("&order=-modified", [0, 4, 3, 2, 1]),
        ("&order=modified", [1, 2, 3, 4, 0]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 5, 1000])
def test_jobs_come_page_by_page_in_any_order(
    world: World, template: int, order: str, places: list[int], limit: int
) -> None:
    made = [make(world, template, priority=priority) for priority in (100, 1, 100, 1, 500)]
    good(world.admin.patch(f"/v1/jobs/{made[0]}", {"description": "changed last"}))

    pages = walked(world, f"template={template}&limit={limit}{order}")

    assert [pk for page in pages for pk in page] == [made[place] for place in places]
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)


def test_a_job_made_meanwhile_moves_nothing_on_the_next_page(world: World, template: int) -> None:
    made = [make(world, template) for _ in range(4)]
    query = f"template={template}&limit=2&order=-created"
    first = good(world.viewer.get(f"/v1/jobs?{query}"))
    make(world, template)

    second = good(world.viewer.get(f"/v1/jobs?{query}&cursor={first['next']}"))

    assert pks(first["items"]) + pks(second["items"]) == made[::-1]
    assert second["next"] is None


def test_jobs_can_be_filtered_by_what_they_are(world: World, template: int) -> None:
    plain = make(world, template)
    named = make(world, template, description="A Nightly run", labels={"team": "nlp"})
    node = world.new_node()
    good(node.acquire(named))
    gone = make(world, template)
    world.admin.delete(f"/v1/jobs/{gone}")
    created = world.job(named)["creation_time"]
    for query, found in {
        "": [named, plain],
        "&status=ACQUIRED": [named],
        "&status=QUEUED,ACQUIRED": [named, plain],
        "&status=QUEUED&status=ACQUIRED": [named, plain],
        "&status=COMPLETED": [],
        f"&node={node.node}": [named],
        "&text=nightly": [named],
        "&label=team:nlp": [named],
        "&label=team:other": [],
        "&creator=me": [],
        f"&creator={world.job(plain)['creator']}": [named, plain],
        f"&created_after={created}": [named],
        f"&created_before={created}": [plain],
        "&include_deleted=true": [gone, named, plain],
    }.items():
        page = good(world.viewer.get(f"/v1/jobs?template={template}{query}"))

        assert pks(page["items"]) == found, query


def test_a_page_stands_at_a_place_in_the_log(world: World, template: int) -> None:
    job, node = make(world, template), world.new_node()
    cursor = world.viewer.get(f"/v1/jobs?template={template}").headers["x-hub-cursor"]

    good(node.acquire(job))

    behind = good(world.viewer.get(f"/v1/events?after={cursor}"))["items"]
    assert [(event["job"], event["transition"]) for event in behind] == [(job, "acquire")]


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=-1", "limit=1001", "limit=x", "order=pk", "order=password", "status=x"),
        *("status=queued", "cursor=x", "cursor=%00", "cursor=WyJ4Il0", "node=0", "node=x"),
        *("creator=x", "label=x", "created_after=x", "created_after=2026-01-01", "unknown=1"),
        *("include_deleted=x", "created_before=99999-01-01T00:00:00Z", f"node={2**63}"),
    ],
)
def test_a_bad_parameter_is_refused(world: World, query: str) -> None:
    problem(world.viewer.get(f"/v1/jobs?{query}"), 400)


def test_the_cursor_of_another_order_is_refused(world: World, template: int) -> None:
    for _ in range(2):
        make(world, template)
    query = f"template={template}&limit=1"
    following = good(world.viewer.get(f"/v1/jobs?{query}&order=created"))["next"]

    problem(world.viewer.get(f"/v1/jobs?{query}&order=priority&cursor={following}"), 400)
