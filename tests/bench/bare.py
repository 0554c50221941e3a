"""The least Litestar can do with a progress report: decode the body, answer a constant."""

from typing import Any

from litestar import Litestar, post
from litestar.params import JSONBody

PATH = "/progress"
"""A fixed path: cheaper to route than one with parameters, so the hub gets no help from it."""


@post(PATH, status_code=200)
async def report(data: JSONBody[dict[str, Any]]) -> dict[str, bool]:
    """Answer without a look at the body."""
    return {"ok": True}


app = Litestar([report], openapi_config=None)
