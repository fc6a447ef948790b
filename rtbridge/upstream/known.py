"""Who answers at an upstream's URL: our own engine, started as a process of its own, says so at /livez.

The engine listens on loopback only, so only there is anybody asked: no request goes to a provider that did not
expect one.
"""

from __future__ import annotations

import ipaddress
import json
from typing import Final

import aiohttp
from yarl import URL

ASK_WITHIN_S: Final = 2.0
MAX_ANSWER_BYTES: Final = 4096
ENGINE: Final = "rtbridge engine"  # `server` in the answer of rtbridge/engine/server.py


def http_base(url: str) -> URL:
    """Return the HTTP origin of a ws:// or wss:// URL."""
    target = URL(url)
    return target.with_scheme({"ws": "http", "wss": "https"}[target.scheme]).origin()


async def is_engine(url: str) -> bool | None:
    """Tell whether the engine answers at a ws:// URL; False for every other host, None when nobody answers there."""
    if not _is_loopback(URL(url).host or ""):
        return False
    limit = aiohttp.ClientTimeout(total=ASK_WITHIN_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit) as http,
            http.get(http_base(url) / "livez", allow_redirects=False) as answer,
        ):
            found = json.loads(await answer.content.read(MAX_ANSWER_BYTES))
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None
    except (ValueError, RecursionError):  # no JSON, or nested beyond reason
        return False
    return isinstance(found, dict) and found.get("server") == ENGINE


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
