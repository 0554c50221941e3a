from pathlib import Path

from hub.app import PROVIDED
from hub.settings import load
from tests.apps import app_for


def test_routes_that_are_used_again_find_nothing_of_the_hub_before(tmp_path: Path) -> None:
    with app_for(load({}, data=str(tmp_path / "one"), max_body_bytes=12_345)) as app:
        hub, before = app.state.hub, dict(vars(app.state.hub))
        doors = hub.doors

    with app_for(load({}, data=str(tmp_path / "two"), max_body_bytes=12_345)) as again:
        assert again is app
        assert not [name for name in PROVIDED if getattr(hub, name) is before[name]]
        assert doors not in vars(hub.guard).values()
        assert hub.doors in vars(hub.guard).values()


def test_two_hubs_at_once_have_routes_of_their_own(tmp_path: Path) -> None:
    settings = load({}, data=str(tmp_path))

    with app_for(settings) as one, app_for(settings) as other:
        assert one is not other
