"""What the log says of a failure."""

import pytest

from hub.api.problems import note_socket_failure


async def test_a_path_cannot_write_lines_of_its_own_into_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scope = {"type": "websocket", "path": "/v1\nERROR forged"}

    await note_socket_failure(RuntimeError("x"), scope)

    assert "\n" not in caplog.records[0].getMessage()
