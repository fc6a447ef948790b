"""What a refusal over HTTP looks like, whatever was refused."""

from __future__ import annotations

from typing import Any


def assert_refused(status: int, body: Any, *, code: str | None = None, names: str = "") -> None:
    """A 4xx in OpenAI's error shape, and no 429: that one never counts as an answer."""
    assert 400 <= status < 500, (status, body)
    assert status != 429
    assert list(body) == ["error"]
    error = body["error"]
    assert set(error) == {"type", "code", "message", "param"}
    assert all(error[part] and isinstance(error[part], str) for part in ("type", "code", "message"))
    assert error["param"] is None or isinstance(error["param"], str)
    assert len(error["message"]) < 500
    if code is not None:
        assert error["code"] == code
    assert names in error["message"]
