"""Bodies that are wrong and requests that never end, over HTTP to a running bridge, and what they cost (S4, S5)."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from conftest import ACCEPT, Count
from conftest import KeepFigures as Keep
from hostile_offers import CHROMIUM
from live_rig import CALLS, SDP, live, percentile
from refusals import assert_refused
from rtbridge.server import body, run

pytestmark = pytest.mark.wire


# -- S4: bodies -----------------------------------------------------------------------------------------------
SECRETS = "/v1/realtime/client_secrets"
DEEP = "[" * 100_000 + "]" * 100_000
CODING, KIND = "unsupported_content_encoding", "unsupported_content_type"
Refusal = tuple[int, str, str]  # status, code, what the message names


@dataclass(frozen=True)
class Bad:
    """A request that is wrong, and what it shall get."""

    content_type: str
    data: str | bytes
    gets: Refusal
    path: str = CALLS
    coding: str = "identity"


def sdp(data: str | bytes, gets: Refusal, *, query: str = "", coding: str = "identity") -> Bad:
    return Bad("application/sdp", data, gets, CALLS + query, coding)


def secret(data: str | bytes, gets: Refusal, *, query: str = "") -> Bad:
    return Bad("application/json", data, gets, SECRETS + query)


def form(gets: Refusal, *parts: tuple[str, str]) -> Bad:
    head = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    return Bad(
        "multipart/form-data; boundary=b", "".join(head.format(*part) for part in parts) + "--b--\r\n", gets
    )


BODIES = {
    "a body over 256 KiB": sdp(b"v" * 262_145, (413, "body_too_large", "256 KiB")),
    "no body": sdp(b"", (400, "bad_line", "v=0")),
    "a gzip bomb": sdp(gzip.compress(bytes(10_000_000)), (415, CODING, "Content-Encoding"), coding="gzip"),
    "deflate": sdp(b"x\x9c\x03\x00", (415, CODING, "Content-Encoding"), coding="deflate"),
    "two codings": sdp(b"", (415, CODING, "Content-Encoding"), coding="identity, br"),
    "text/plain": Bad("text/plain", CHROMIUM, (415, KIND, "application/sdp")),
    "JSON for SDP": Bad("application/json", '{"sdp": ""}', (415, KIND, "application/sdp")),
    "a content type of garbage": Bad(";;=/\\", CHROMIUM, (415, KIND, "application/sdp")),
    "a form without end": Bad(
        "multipart/form-data; boundary=b", "--b\r\n", (400, "invalid_multipart", "form")
    ),
    "a form without boundary": Bad("multipart/form-data", "x", (400, "invalid_multipart", "boundary")),
    "a form of five parts": form((400, "invalid_multipart", "parts"), *[("sdp", CHROMIUM)] * 5),
    "a form without sdp": form((400, "missing_required_parameter", "sdp"), ("session", "{}")),
    "a deep session": form((400, "invalid_json", "session"), ("sdp", CHROMIUM), ("session", DEEP[:50_000])),
    "a session that is a list": form((400, "invalid_type", "session"), ("sdp", CHROMIUM), ("session", "[]")),
    "deep JSON": secret(DEEP, (400, "invalid_json", "JSON")),
    "deep JSON in an object": secret('{"session":' + DEEP + "}", (400, "invalid_json", "body")),
    "33 levels": secret('{"session":' + '{"a":' * 33 + "1" + "}" * 34, (400, "invalid_json", "32 levels")),
    "JSON that is none": secret("{'a': 1}", (400, "invalid_json", "JSON")),
    "NaN": secret('{"expires_after": NaN}', (400, "invalid_json", "JSON")),
    "a number of 5,000 digits": secret('{"a":' + "9" * 5000 + "}", (400, "invalid_json", "JSON")),
    "bytes that are no text": secret(b'{"\xff": 1}', (400, "invalid_encoding", "UTF-8")),
    "a list for an object": secret("[1]", (400, "invalid_type", "object")),
    "a list for a session": secret('{"session": []}', (400, "invalid_type", "session")),
    "a lifetime in words": secret('{"expires_after": {"seconds": "1"}}', (400, "invalid_value", "7200")),
    "a lifetime of a week": secret('{"expires_after": {"seconds": 604800}}', (400, "invalid_value", "7200")),
    "an origin that is none": secret('{"origin": "javascript:x"}', (400, "invalid_value", "origin")),
    "an unknown scenario": sdp(CHROMIUM, (404, "scenario_not_found", "desks"), query="?scenario=../etc"),
    "a scenario of 4,000 x": sdp(
        CHROMIUM, (404, "scenario_not_found", "desks"), query="?scenario=" + "x" * 4000
    ),
    "an unknown agent": sdp(
        CHROMIUM, (404, "agent_not_found", "front, billing"), query="?scenario=desks&agent=%0d%0a"
    ),
    "a secret for no scenario": secret("{}", (404, "scenario_not_found", "desks"), query="?scenario=nowhere"),
    "a secret for no agent": secret(
        "{}", (404, "agent_not_found", "billing"), query="?scenario=desks&agent=x"
    ),
}


async def test_bodies_that_are_wrong_get_a_clear_error_in_ten_milliseconds(
    tmp_path: Path, keep_figures: Keep
) -> None:
    cost_ms: dict[str, float] = {}
    async with live(tmp_path) as bridge:
        baseline = await bridge.warm(CHROMIUM)
        for name, bad in BODIES.items():
            wanted, code, names = bad.gets
            headers = {"Content-Type": bad.content_type, "Content-Encoding": bad.coding}
            bridge.cpu_s.clear()
            for _ in range(3):
                status, _, got = await bridge.ask("POST", bad.path, data=bad.data, headers=headers)
                assert status == wanted, (name, got)
                assert_refused(status, got, code=code, names=names)
            cost_ms[name] = round(min(bridge.cpu_s) * 1000, 2)
        assert await bridge.settled(baseline) == baseline
    assert max(cost_ms.values()) <= 10, cost_ms
    keep_figures("hostile_s4_bodies", {"cpu_ms": cost_ms})


async def test_a_body_that_never_says_its_length_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LINGER_S", 0.2)
    async with live(tmp_path) as bridge:
        baseline = await bridge.warm(CHROMIUM)
        reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
        writer.write(head("Transfer-Encoding: chunked"))
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 4_000_000 and not reader.at_eof():
                writer.write(b"10000\r\n" + b"v" * 65_536 + b"\r\n")
                sent += 65_536
                await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 5.0)
        await gone(writer)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "body_too_large"
        assert await bridge.settled(baseline) == baseline


# -- S5: slow requests ----------------------------------------------------------------------------------------
def head(*more: str) -> bytes:
    lines = (f"POST {CALLS} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/sdp", *more)
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def gone(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


class Slow:
    """A connection that sends a byte now and then, or nothing, until the server has had enough."""

    def __init__(self, start: bytes, port: int, begin_s: float) -> None:
        self._start, self._port, self._begin_s = start, port, begin_s
        self.received = b""

    async def run(self) -> float:
        """Return after how many seconds the server closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        with contextlib.suppress(ConnectionError):
            writer.write(self._start)
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        if not (data := await reader.read(4096)):
                            break
                        self.received += data
                if self._start.endswith(b"\r\n\r\n"):
                    writer.write(b"v")
        await gone(writer)
        return time.monotonic() - self._begin_s


async def test_half_open_requests_are_closed_in_time_and_healthy_ones_are_served_meanwhile(
    tmp_path: Path, count: Count, keep_figures: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, bound_s = count(40, 500), (10.0 if ACCEPT else 3.0)
    if not ACCEPT:
        monkeypatch.setattr(body, "BODY_TIMEOUT_S", 0.7)
        monkeypatch.setattr(run, "IDLE_TIMEOUT_S", 0.8)
        monkeypatch.setattr(run, "LINGER_S", 0.2)
    starts = [b"", b"POST /v1/", head("Content-Length: 5000")[:-2], head("Content-Length: 5000")]
    async with live(tmp_path) as bridge:
        baseline = await bridge.warm(CHROMIUM)
        begin_s = time.monotonic()
        slow = [Slow(starts[n % 4], bridge.port, begin_s) for n in range(number)]
        healthy_s: list[float] = []
        # The healthy client has an address of its own: 200 sockets are the most that one address may hold.
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0), force_close=True)
        async with aiohttp.ClientSession(connector=connector) as client, asyncio.TaskGroup() as group:
            attacks = [group.create_task(one.run()) for one in slow]
            while not all(attack.done() for attack in attacks):
                asked_s = time.monotonic()
                url = f"http://127.0.0.1:{bridge.port}{CALLS}"
                async with client.post(url, data=CHROMIUM, headers=SDP) as got:
                    assert got.status == 201
                    location = got.headers["Location"]
                healthy_s.append(time.monotonic() - asked_s)
                async with client.delete(f"http://127.0.0.1:{bridge.port}{location}") as got:
                    assert got.status == 200
                await asyncio.sleep(0.1)  # one healthy caller every 100 ms, not a flood of its own
        closed_s = [attack.result() for attack in attacks]
        assert await bridge.settled(baseline) == baseline
    assert max(closed_s) <= bound_s
    dribbled = [one.received for one in slow[3::4] if one.received]
    assert dribbled
    for answer in dribbled:
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b'"request_timeout"' in answer
    figures: dict[str, Any] = {
        "half_open": number,
        "closed_s_max": round(max(closed_s), 2),
        "closed_at_once": sum(s < 0.5 for s in closed_s),
        "healthy_posts": len(healthy_s),
        "healthy_post_ms_p95": round(percentile(healthy_s, 95) * 1000, 1),
    }
    keep_figures("hostile_s5_half_open", figures)
    if ACCEPT:
        assert figures["healthy_post_ms_p95"] <= 150
