"""What all tests share: a clean environment, whatever the person who runs them has set."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def no_settings_from_outside() -> Iterator[None]:
    """Hide ``HUB_*`` from the tests and from the hubs that they start."""
    outside = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("HUB_")}
    yield
    os.environ.update(outside)
