"""WebSocketUpstream against a small aiohttp server on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from rtbridge.errors import Closed, UpstreamError, UpstreamLost, UpstreamRefused
from rtbridge.upstream import websocket
from rtbridge.upstream.dial import dial_url
from rtbridge.upstream.websocket import WebSocketUpstream, redacted

KEY = "sk-canary-0123456789"
FRAME = b"\x01\x02" * 480  # 20 ms

Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


class Server:
    """A WebSocket server whose side of the talk is a function."""

    def __init__(self, talk: Talk, *, status: int = 101, headers: dict[str, str] | None = None) -> None:
        self._talk, self._status, self._headers = talk, status, headers
        self.requests: list[web.Request] = []
        self.port = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self._status != 101:
            return web.Response(status=self._status, headers=self._headers)
        ws = web.WebSocketResponse(autoping=False, max_msg_size=0)
        await ws.prepare(request)
        await self._talk(ws)
        return ws


@asynccontextmanager
async def serving(talk: Talk, **more: Any) -> AsyncIterator[Server]:
    server = Server(talk, **more)
    app = web.Application()
    app.router.add_get("/v1/realtime", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        async with asyncio.timeout(20):
            yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(talk: Talk) -> AsyncIterator[WebSocketUpstream]:
    async with serving(talk) as server:
        upstream = dial(server)
        await upstream.connect()
        try:
            yield upstream
        finally:
            await upstream.close()


def dial(server: Server) -> WebSocketUpstream:
    return dial_url(f"ws://127.0.0.1:{server.port}/v1/realtime", model="gpt-realtime", api_key=KEY)


async def read(upstream: WebSocketUpstream, events: list[dict[str, Any]] | None = None) -> None:
    """Read all events until it ends; UpstreamLost passes."""
    async for event in upstream.events():
        if events is not None:
            events.append(event)


async def until_gone(ws: web.WebSocketResponse) -> None:
    async for _message in ws:
        pass


async def test_events_and_audio_arrive_in_the_order_they_were_sent() -> None:
    async def echo(ws: web.WebSocketResponse) -> None:
        for _count in range(3):
            await ws.send_str(await ws.receive_str())
        await ws.close(code=1011)

    async with connected(echo) as upstream:
        upstream.send({"type": "response.create", "note": "grüß dich \u2028"})
        assert upstream.send_audio(FRAME) == 0
        upstream.send({"type": "input_audio_buffer.commit"})
        events: list[dict[str, Any]] = []
        with pytest.raises(UpstreamLost):
            await read(upstream, events)
    assert [event["type"] for event in events] == [
        "response.create",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
    ]
    assert events[0]["note"] == "grüß dich \u2028"
    assert base64.b64decode(events[1]["audio"]) == FRAME
    assert set(events[1]) == {"type", "audio"}


async def test_it_offers_no_compression() -> None:
    async with serving(until_gone) as server:
        upstream = dial(server)
        await upstream.connect()
        await upstream.close()
        [request] = server.requests
        assert "Sec-WebSocket-Extensions" not in request.headers


async def test_the_key_and_the_model_go_where_the_api_wants_them() -> None:
    async with serving(until_gone) as server:
        url = f"ws://127.0.0.1:{server.port}/v1/realtime"
        upstream = dial_url(url, model="gpt-realtime", api_key=KEY, safety_identifier="hash-of-a-user")
        await upstream.connect()
        await upstream.close()
        [request] = server.requests
        assert request.query_string == "model=gpt-realtime"
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert request.headers["OpenAI-Safety-Identifier"] == "hash-of-a-user"


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1009, 1011, 1012, 1013, 4000])
async def test_every_close_nobody_asked_for_is_a_loss(code: int) -> None:
    async def leave(ws: web.WebSocketResponse) -> None:
        await ws.close(code=code, message=b"session_expired")

    async with connected(leave) as upstream:
        with pytest.raises(UpstreamLost, match=rf"ended: {code} [a-z ]+ \(it says 'session_expired'\)$"):
            await read(upstream)


async def test_a_close_without_a_status_is_a_loss() -> None:
    async def leave(ws: web.WebSocketResponse) -> None:
        await ws.send_frame(b"", WSMsgType.CLOSE)
        await until_gone(ws)

    async with connected(leave) as upstream:
        with pytest.raises(UpstreamLost, match=r"ended: \d+ "):
            await read(upstream)


async def test_a_connection_that_breaks_is_a_loss() -> None:
    async def break_off(ws: web.WebSocketResponse) -> None:
        transport = ws.get_extra_info("socket")
        transport.shutdown(2)

    async with connected(break_off) as upstream:
        with pytest.raises(UpstreamLost, match="ended: 1006 the connection broke"):
            await read(upstream)


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "OPENAI_API_KEY"), (403, "rights"), (404, "RTBRIDGE_MODEL")]
)
async def test_a_refusal_names_where_what_and_what_to_do(status: int, hint: str) -> None:
    async with serving(until_gone, status=status) as server:
        upstream = dial(server)
        where = f"ws://127.0.0.1:{server.port}/v1/realtime?model=gpt-realtime"
        with pytest.raises(UpstreamRefused, match=re.escape(f"{where} answered {status}: ") + f".*{hint}"):
            await upstream.connect()


async def test_a_rate_limit_is_a_loss_that_says_when_to_come_back() -> None:
    async with serving(until_gone, status=429, headers={"Retry-After": "7"}) as server:
        with pytest.raises(UpstreamLost, match=r"answered 429 .*retry after '7'"):
            await dial(server).connect()


async def test_a_server_error_is_a_loss() -> None:
    async with serving(until_gone, status=503) as server:
        with pytest.raises(UpstreamLost, match="answered 503"):
            await dial(server).connect()


async def test_nobody_listening_is_a_loss() -> None:
    async with serving(until_gone) as server:
        port = server.port
    with pytest.raises(UpstreamLost, match=f"127.0.0.1:{port}.*cannot be reached: .*[Cc]onnect"):
        await dial_url(f"ws://127.0.0.1:{port}/v1/realtime").connect()


@pytest.mark.parametrize("url", ["http//nowhere", "not a url", "ftp://127.0.0.1/"])
async def test_what_is_not_a_websocket_url_is_a_loss_in_words(url: str) -> None:
    with pytest.raises(UpstreamLost, match="not a ws:// or wss:// URL"):
        await WebSocketUpstream(url, headers={}).connect()


async def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert websocket.CONNECT_TIMEOUT_S == 10
    monkeypatch.setattr(websocket, "CONNECT_TIMEOUT_S", 0.05)
    gone = asyncio.Event()

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(UpstreamLost, match=r"did not answer within 0\.05 s"):
            await dial_url(f"ws://127.0.0.1:{port}/v1/realtime").connect()
        gone.set()


async def test_frames_that_are_not_json_objects_are_skipped_and_counted() -> None:
    async def rave(ws: web.WebSocketResponse) -> None:
        for garbage in ("", "{", "[1]", "7", '"x"', "null", "[" * 100_000):
            await ws.send_str(garbage)
        await ws.send_frame(b'{"type": "\xff"}', WSMsgType.TEXT)
        await ws.send_bytes(b'{"type": "binary"}')
        await ws.send_str('{"type": "session.created"}')
        await ws.close()

    async with connected(rave) as upstream:
        events: list[dict[str, Any]] = []
        with pytest.raises(UpstreamLost):
            await read(upstream, events)
        assert events == [{"type": "session.created"}]
        assert upstream.garbage == 9


async def test_a_frame_of_a_minute_of_audio_passes_and_one_over_16_mib_does_not() -> None:
    async def shout(ws: web.WebSocketResponse) -> None:
        await ws.send_str(json.dumps({"type": "big", "audio": "A" * (9 << 20)}))
        await ws.send_str(json.dumps({"type": "bigger", "audio": "A" * (16 << 20)}))
        await until_gone(ws)

    async with connected(shout) as upstream:
        events: list[dict[str, Any]] = []
        with pytest.raises(UpstreamLost, match="1009 message too big"):
            await read(upstream, events)
        assert [event["type"] for event in events] == ["big"]


async def test_audio_beyond_two_seconds_pushes_out_the_oldest_and_never_an_event() -> None:
    received: list[dict[str, Any]] = []

    async def keep(ws: web.WebSocketResponse) -> None:
        while len(received) < 103:
            received.append(json.loads(await ws.receive_str()))
        await ws.close()

    async with serving(keep) as server:
        upstream = dial(server)  # nothing is written before connect(): the backlog can be looked at
        dropped = []
        for number in range(150):
            if number % 50 == 0:
                upstream.send({"type": "session.update", "number": number})
            dropped.append(upstream.send_audio(number.to_bytes(2, "little") * 480))
        assert dropped == [0] * 100 + [20] * 50
        assert upstream.dropped_ms == 1000
        await upstream.connect()
        with pytest.raises(UpstreamLost):
            await read(upstream)
        await upstream.close()
    audio = [base64.b64decode(event["audio"])[0] for event in received if "audio" in event]
    assert audio == list(range(50, 150))
    order = [event.get("number", "audio") for event in received]
    assert [order.index(number) for number in (0, 50, 100)] == [0, 1, 52]


async def test_one_long_piece_of_audio_is_never_pushed_out_by_itself() -> None:
    upstream = dial_url("ws://127.0.0.1:1/")
    assert upstream.send_audio(b"\0" * 48 * 3000) == 0
    assert upstream.send_audio(FRAME) == 3000


async def test_a_server_that_takes_no_events_is_lost() -> None:
    async with connected(until_gone) as upstream:
        for number in range(websocket.MAX_WAITING_EVENTS + 1):  # the writer never runs between these
            upstream.send({"type": "conversation.item.delete", "item_id": str(number)})
        with pytest.raises(UpstreamLost, match="1000 events wait to be sent"):
            await read(upstream)


async def test_events_that_pile_up_before_the_connection_make_it_a_loss() -> None:
    async with serving(until_gone) as server:
        upstream = dial(server)
        for _number in range(websocket.MAX_WAITING_EVENTS + 1):
            upstream.send({"type": "response.create"})
        with pytest.raises(UpstreamLost, match="too late: 1000 events wait"):
            await upstream.connect()


async def test_a_half_open_connection_is_noticed_within_six_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert websocket.HEARTBEAT_S * 1.5 <= 6
    monkeypatch.setattr(websocket, "HEARTBEAT_S", 0.1)
    async with connected(until_gone) as upstream:  # the server reads pings and answers none
        with pytest.raises(UpstreamLost, match="1006 the connection broke"):
            await read(upstream)


async def test_close_ends_the_reading_quietly_and_can_be_called_again() -> None:
    async with connected(until_gone) as upstream:
        async with asyncio.TaskGroup() as tasks:
            events: list[dict[str, Any]] = []
            reading = tasks.create_task(read(upstream, events))
            await asyncio.sleep(0)
            await upstream.close()
            await upstream.close()
        assert reading.done()
        assert events == []


async def test_close_does_not_wait_for_a_server_that_ignores_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert websocket.CLOSE_TIMEOUT_S < 2
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 0.1)
    over = asyncio.Event()

    async def ignore(_ws: web.WebSocketResponse) -> None:
        await over.wait()

    async with connected(ignore) as upstream:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await upstream.close()
        took_s = loop.time() - began_s
        over.set()
    assert took_s < 0.1 + 0.5


async def test_a_closed_upstream_takes_nothing_more() -> None:
    async with connected(until_gone) as upstream:
        await upstream.close()
        with pytest.raises(Closed):
            upstream.send({"type": "response.create"})
        with pytest.raises(Closed):
            upstream.send_audio(FRAME)
        with pytest.raises(Closed):
            await upstream.connect()


async def test_reading_before_connect_is_a_bug_of_the_caller() -> None:
    with pytest.raises(Closed, match="not connected"):
        await read(dial_url("ws://127.0.0.1:1/"))


async def test_the_key_is_in_no_repr_and_no_exception() -> None:
    seen: list[str] = []

    def look(upstream: WebSocketUpstream, error: UpstreamError) -> None:
        seen.extend((repr(upstream), upstream.url, repr(error)))
        seen.extend(traceback.format_exception(error))
        link: BaseException | None = error
        while link is not None:
            seen.append(repr(link))
            link = link.__context__

    for status in (401, 404, 500):
        async with serving(until_gone, status=status) as server:
            url = f"ws://127.0.0.1:{server.port}/v1/realtime?token={KEY}"
            upstream = dial_url(url, model="m", api_key=KEY)
            with pytest.raises(UpstreamError) as caught:
                await upstream.connect()
            look(upstream, caught.value)
    gone = dial_url(f"ws://{KEY}@127.0.0.1:1/v1/realtime?token={KEY}")
    with pytest.raises(UpstreamLost) as lost:
        await gone.connect()
    look(gone, lost.value)
    assert len(seen) > 12
    assert not any(KEY in text for text in seen)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wss://u:p@h.example:1/a/b?api-key=x&model=m#f", "wss://h.example:1/a/b?model=m"),
        ("wss://h.example/a?api-key=x", "wss://h.example/a"),
        ("wss://h.example:none/", "(not a URL)"),
    ],
)
def test_what_may_be_a_secret_is_not_shown(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_the_file_logs_nothing() -> None:
    source = Path(websocket.__file__).read_text()
    assert "logging" not in source
    assert "structlog" not in source
