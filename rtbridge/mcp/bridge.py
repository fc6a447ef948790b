"""The calls of a running bridge, asked for over its HTTP API with the caller key of the settings."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from rtbridge.errors import Unavailable
from rtbridge.settings import Settings

TIMEOUT_S: Final = 5.0
MOST_BYTES: Final = 4 * 1024 * 1024


def url_of(settings: Settings) -> str:
    """Return where `rtbridge serve` with these settings listens."""
    host = (
        "127.0.0.1" if settings.host in ("0.0.0.0", "") else "::1" if settings.host == "::" else settings.host
    )
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


class BridgeCalls:
    """What one bridge tells of its calls."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def calls(self) -> list[dict[str, Any]]:
        """Return its calls, running ones first. Raises Unavailable when it cannot be asked, with what to do."""
        return list((await self._get("/v1/realtime/calls")).get("data", []))

    async def transcript(self, call_id: str) -> dict[str, Any]:
        """Return one call with its transcript as heard. Raises Unavailable."""
        return await self._get(f"/v1/realtime/calls/{quote(call_id, safe='')}/transcript")

    async def _get(self, path: str) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=self._headers) as client,
                client.get(self.url + path, allow_redirects=False) as got,
            ):
                body = b""
                async for chunk in got.content.iter_chunked(64 * 1024):
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise ValueError("the answer is too long")
                whole = json.loads(body)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(
                f"no bridge answers at {self.url} ({type(error).__name__}); start `rtbridge serve`, or name it with "
                "--bridge",
                code="no_bridge",
            ) from None
        if got.status != 200 or not isinstance(whole, dict):
            said = whole.get("error", {}).get("message", "") if isinstance(whole, dict) else ""
            raise Unavailable(f"the bridge at {self.url} answered {got.status}: {said}", code="no_calls")
        return whole
