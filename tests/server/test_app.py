"""HTTP as it is spoken: one error shape everywhere, bounds on what strangers send, the lists, the probes."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rtbridge import logs
from rtbridge.server.body import BODY_TIMEOUT_S
from rtbridge.server.run import IDLE_TIMEOUT_S, LINGER_S
from server_rig import OFFER, SDP, FakeAgent, FakeScenario, running

KEY = "a-caller-key-of-good-length"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/nothing.html", 404),
        ("POST", "/v1/nothing", 404),
        ("PUT", "/v1/realtime/calls", 405),
        ("POST", "/v1/scenarios", 405),
        ("POST", "/index.html", 405),
        ("DELETE", "/v1/realtime/calls/rtc_none", 404),
    ],
)
async def test_the_frameworks_refusals_have_the_one_error_shape(method: str, path: str, status: int) -> None:
    async with running() as bridge:
        got, headers, body = await bridge.ask(method, path)
        assert got == status
        assert set(body) == {"error"}
        assert set(body["error"]) == {"type", "code", "message", "param"}
        assert ("Allow" in headers) == (status == 405)


async def test_a_bug_of_ours_is_a_500_that_tells_the_log_and_not_the_caller(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running() as bridge:
        logs.configure(form="json")

        def boom(*_: object, **__: object) -> None:
            raise ZeroDivisionError("canary")

        monkeypatch.setattr(bridge.board, "reserve", boom)
        status, _, body = await bridge.call()
        assert (status, body["error"]["type"]) == (500, "server_error")
        assert "canary" not in json.dumps(body)
        line = json.loads(capsys.readouterr().err.splitlines()[0])
        assert line["event"] == "request.failed"
        assert "canary" in line["exception"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_256_kib_is_refused(chunked: bool) -> None:
    async with running() as bridge:

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(5):
                yield b"v" * 60_000

        data = chunks() if chunked else b"v" * (256 * 1024 + 1)
        status, _, error = await bridge.ask("POST", "/v1/realtime/calls", data=data, headers=SDP)
        assert (status, error["error"]["code"]) == (413, "body_too_large")


async def test_bombs_of_gzip_and_of_brackets_cost_next_to_nothing() -> None:
    async with running() as bridge:
        bombs = [
            (
                gzip.compress(b"0" * 50_000_000),
                {**SDP, "Content-Encoding": "gzip"},
                "/v1/realtime/calls",
                415,
            ),
            (b"[" * 200_000, {"Content-Type": "application/json"}, "/v1/realtime/client_secrets", 400),
            (
                b'{"session":' * 40 + b"1" + b"}" * 40,
                {"Content-Type": "application/json"},
                "/v1/realtime/client_secrets",
                400,
            ),
            (b"{}" * 9, {"Content-Type": "application/json"}, "/v1/realtime/client_secrets", 400),
            (
                b'{"session":{"a":NaN}}',
                {"Content-Type": "application/json"},
                "/v1/realtime/client_secrets",
                400,
            ),
            (b"{}", {"Content-Type": "text/plain"}, "/v1/realtime/client_secrets", 415),
        ]
        for body, headers, path, expected in bombs:
            before_s = time.process_time()
            status, _, _ = await bridge.ask("POST", path, data=body, headers=headers)
            assert status == expected
            assert time.process_time() - before_s < 0.05  # client and server together


async def test_a_request_that_dawdles_over_its_headers_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtbridge.server.run.IDLE_TIMEOUT_S", 0.2)
    async with running() as bridge:
        for start in (b"", b"POST /v1/realtime/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "):
            reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
            writer.write(start)
            async with asyncio.timeout(2):
                assert await reader.read() == b""
            writer.close()


async def test_a_request_that_dawdles_over_its_body_is_told_and_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rtbridge.server.body.BODY_TIMEOUT_S", 0.1)
    monkeypatch.setattr("rtbridge.server.run.LINGER_S", 0.1)
    async with running() as bridge:
        reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
        writer.write(
            b"POST /v1/realtime/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/sdp\r\n"
            b"Content-Length: 100\r\n\r\nv=0"
        )
        async with asyncio.timeout(2):
            answer = await reader.read()
        assert b" 400 " in answer.split(b"\r\n")[0]
        assert b"request_timeout" in answer
        writer.close()


def test_the_limits_on_dawdling_add_up_to_less_than_ten_seconds() -> None:
    assert IDLE_TIMEOUT_S <= 10
    assert BODY_TIMEOUT_S + LINGER_S <= 10


async def test_one_address_cannot_hold_more_sockets_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtbridge.server.run.MOST_SOCKETS_PER_ADDRESS", 3)
    async with running() as bridge:
        held = [await asyncio.open_connection("127.0.0.1", bridge.port) for _ in range(3)]
        reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
        async with asyncio.timeout(2):
            assert await reader.read() == b""
        writer.close()
        first_reader, first_writer = held[0]
        first_writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(2):
            assert b"200 OK" in await first_reader.read()
            assert (await bridge.ask("GET", "/livez"))[0] == 200  # its place is free again
        for _, each in held:
            each.close()


async def test_the_scenario_list_tells_title_agents_and_start_agent() -> None:
    async with running() as bridge:
        bridge.board.scenarios = {
            "a": FakeScenario("a", "The A", "x", {"x": FakeAgent("x", "does x"), "y": FakeAgent("y")})
        }
        status, _, listed = await bridge.ask("GET", "/v1/scenarios")
        assert status == 200
        assert listed == {
            "data": [
                {
                    "id": "a",
                    "title": "The A",
                    "start": "x",
                    "agents": [{"name": "x", "description": "does x"}, {"name": "y", "description": ""}],
                }
            ],
            "default": "a",
            "demo": True,
        }
        bridge.board.scenarios |= {
            "simple_handoff": FakeScenario("simple_handoff", "Haiku", "x", {"x": FakeAgent("x")})
        }
        _, _, listed = await bridge.ask("GET", "/v1/scenarios")
        assert listed["default"] == "simple_handoff"  # of whoever names none, and of the page


async def test_metrics_count_what_happened_and_need_a_key_where_keys_are() -> None:
    async with running() as bridge:
        await bridge.call()
        await bridge.call(offer="junk")
        status, headers, text = await bridge.ask("GET", "/metrics")
        assert status == 200
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "rtbridge_calls_live 1\n" in text
        assert 'rtbridge_offers_total{status="201"} 1\n' in text
        assert 'rtbridge_offers_total{status="400"} 1\n' in text
    async with running(api_keys=(KEY,)) as bridge:
        assert (await bridge.ask("GET", "/metrics"))[0] == 401
        secret = await bridge.mint(headers={"Authorization": f"Bearer {KEY}"})
        assert (await bridge.ask("GET", "/metrics", headers={"Authorization": f"Bearer {secret}"}))[0] == 401
        assert (await bridge.ask("GET", "/metrics", headers={"Authorization": f"Bearer {KEY}"}))[0] == 200


async def test_a_turn_server_is_named_in_the_answer_with_credentials_that_end_soon() -> None:
    async with running(turn_url="turn:turn.example:3478", turn_secret="s3cret") as bridge:
        _, headers, _ = await bridge.call()
        assert headers["Link"] == (
            '<turn:turn.example:3478>; rel="ice-server"; username="1700000300:rtbridge"; '
            'credential="8UqkKfCDwGFnlhlwhdY9UTGwccg="; credential-type="password"'
        )
        assert "s3cret" not in str(headers)
    async with running(turn_url="turn:turn.example:3478") as bridge:
        _, headers, _ = await bridge.call()
        assert headers["Link"] == '<turn:turn.example:3478>; rel="ice-server"'


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_thousand_refused_offers_leave_nothing_behind() -> None:
    async with running() as bridge:
        await bridge.call(offer="warm up")
        tasks, fds = len(asyncio.all_tasks()), open_files()
        for number in range(1000):
            assert (await bridge.call(offer=f"{number} {OFFER}"))[0] == 400
        assert all(leg.closed == 1 for leg in bridge.legs)
        assert bridge.board.places == []
        assert len(asyncio.all_tasks()) == tasks
        assert open_files() == fds
