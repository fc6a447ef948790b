"""The engine's HTTP surface: limits, refusals, subprotocols, and how it goes down."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from rtbridge.engine.parts import Say
from rtbridge.engine.server import RunningEngine, serve
from rtbridge.errors import RtbridgeError
from scripted_engine import numbered_ids, scripted, silence


@pytest.fixture
async def engine() -> AsyncIterator[RunningEngine]:
    running = await serve(scripted(), "127.0.0.1", 0, max_connections=2, new_id=numbered_ids())
    yield running
    await running.close()


@pytest.fixture
async def http(engine: RunningEngine) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{engine.port}") as session:
        yield session


async def _json(response: aiohttp.ClientResponse) -> Any:
    async with response:
        return await response.json()


async def test_it_is_alive_and_counts_its_connections(http: aiohttp.ClientSession) -> None:
    async with http.ws_connect("/v1/realtime?model=m") as socket:
        await socket.receive_json()
        assert await _json(await http.get("/livez")) == {
            "status": "ok",
            "server": "rtbridge engine",
            "connections": 1,
        }


@pytest.mark.parametrize("path", ["/v1/realtime", "/realtime"])
async def test_both_spellings_of_the_path_work_without_a_key(http: aiohttp.ClientSession, path: str) -> None:
    async with http.ws_connect(f"{path}?model=some-model") as socket:
        created = await socket.receive_json()
        assert (created["type"], created["session"]["model"]) == ("session.created", "some-model")


async def test_a_browsers_subprotocols_select_realtime_and_nothing_is_compressed(
    http: aiohttp.ClientSession,
) -> None:
    offered = ("realtime", "openai-insecure-api-key.ek_1", "openai-agents-sdk.0.24")
    async with http.ws_connect("/v1/realtime", protocols=offered, compress=15) as socket:
        assert socket.protocol == "realtime"
        assert socket.compress == 0


async def test_one_connection_too_many_is_told_so_and_closed(http: aiohttp.ClientSession) -> None:
    path = "/v1/realtime"
    async with http.ws_connect(path), http.ws_connect(path), http.ws_connect(path) as third:
        refused = await third.receive_json()
        assert refused["error"]["code"] == "session_limit_reached"
        assert (await third.receive()).type is aiohttp.WSMsgType.CLOSE
        assert third.close_code == 1008
    async with asyncio.timeout(5), http.ws_connect("/v1/realtime") as socket:
        assert (await socket.receive_json())["type"] == "session.created"


async def _raw(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Upgrade to a WebSocket by hand, to do what no client library does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return reader, writer


async def _next_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return opcode and payload of one unfragmented server frame (RFC 6455 §5.2)."""
    head = await reader.readexactly(2)
    size = head[1]
    if size >= 126:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
    return head[0] & 0x0F, await reader.readexactly(size)


async def test_a_frame_over_16_mib_is_refused_by_its_header_with_1009(
    engine: RunningEngine, http: aiohttp.ClientSession
) -> None:
    reader, writer = await _raw(engine.port)
    await _next_frame(reader)
    writer.write(b"\x81\xff" + (16 * 1024 * 1024 + 1).to_bytes(8, "big") + bytes(4))
    opcode, payload = await _next_frame(reader)
    assert (opcode, int.from_bytes(payload[:2], "big")) == (8, 1009)
    writer.close()
    assert (await _json(await http.get("/livez")))["status"] == "ok"


async def test_the_largest_append_of_the_api_is_taken(http: aiohttp.ClientSession) -> None:
    async with http.ws_connect("/v1/realtime", max_msg_size=0) as socket:
        await socket.receive_json()
        audio = base64.b64encode(bytes(12_000_000)).decode()  # 15.3 MiB of base64
        await socket.send_json({"type": "input_audio_buffer.append", "audio": audio})
        await socket.send_json({"type": "input_audio_buffer.clear"})
        assert (await socket.receive_json())["type"] == "input_audio_buffer.cleared"


async def test_a_binary_frame_is_read_as_text(http: aiohttp.ClientSession) -> None:
    async with http.ws_connect("/v1/realtime") as socket:
        await socket.receive_json()
        await socket.send_bytes(b'{"type": "input_audio_buffer.clear"}')
        assert (await socket.receive_json())["type"] == "input_audio_buffer.cleared"
        await socket.send_bytes(b"\xff\xfe")
        assert (await socket.receive_json())["error"]["code"] == "invalid_json"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/realtime", None, 400, "websocket_required"),
        ("GET", "/v1/nothing", None, 404, "not_found"),
        ("GET", "/v1/responses", None, 405, "method_not_allowed"),
        ("POST", "/v1/responses", b"{", 400, "invalid_json"),
        ("POST", "/v1/responses", b"[]", 400, "invalid_type"),
        ("POST", "/v1/responses", b'{"input": 5}', 400, "invalid_type"),
        (
            "POST",
            "/v1/responses",
            b'{"input": [], "previous_response_id": "r"}',
            400,
            "unsupported_parameter",
        ),
        ("POST", "/v1/responses", b'{"input": [{"type": "computer_call"}]}', 400, "invalid_value"),
        (
            "POST",
            "/v1/responses",
            b'{"input": "x", "text": {"format": {"type": "xml"}}}',
            400,
            "invalid_value",
        ),
        ("POST", "/v1/responses", b'{"input": "x", "text": 5}', 400, "invalid_type"),
        ("POST", "/v1/responses", b'{"input": "x", "text": {"format": 5}}', 400, "invalid_type"),
        ("POST", "/v1/responses", b'{"input": [{"content": 5}]}', 400, "invalid_type"),
        ("POST", "/v1/chat/completions", b'{"messages": [5]}', 400, "invalid_type"),
        (
            "POST",
            "/v1/chat/completions",
            b'{"messages": [{"role": "user"}], "tools": 5}',
            400,
            "invalid_type",
        ),
        ("POST", "/v1/responses", b'{"input": "x", "tools": [{"type": "web_search"}]}', 400, "invalid_value"),
        ("POST", "/v1/chat/completions", b"{}", 400, "missing_required_parameter"),
        ("POST", "/v1/chat/completions", b'{"messages": []}', 400, "invalid_value"),
        ("POST", "/v1/chat/completions", b'{"messages": [{"role": "cat"}]}', 400, "invalid_value"),
        (
            "POST",
            "/v1/chat/completions",
            b'{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}',
            400,
            "invalid_value",
        ),
    ],
)
async def test_a_bad_request_is_refused_in_the_apis_error_shape(
    http: aiohttp.ClientSession, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    headers = {"Content-Type": "application/json"}
    async with http.request(method, path, data=body, headers=headers) as response:
        assert response.status == status
        error = (await response.json())["error"]
        assert error["code"] == code
        assert set(error) == {"type", "code", "message", "param"}


async def test_a_body_over_its_bound_is_refused(http: aiohttp.ClientSession) -> None:
    async with http.post("/v1/chat/completions", data=io.BytesIO(bytes(5 * 1024 * 1024))) as response:
        assert response.status == 413
        assert (await response.json())["error"]["code"] == "request_entity_too_large"


async def test_a_text_model_that_raises_is_a_500_in_the_apis_shape(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def respond(self, *asked: Any) -> Any:
            raise ValueError("no idea")

    running = await serve(scripted(text=Broken()))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{running.port}/v1/") as http:
        response = await http.post("responses", json={"input": "x"})
        assert response.status == 500
        assert (await _json(response))["error"]["type"] == "server_error"
    assert "no idea" in caplog.text
    await running.close()


async def test_a_structured_format_reaches_the_text_model() -> None:
    asked: list[Any] = []

    class Asked:
        def respond(self, messages: Any, tools: Any, model: str, response_format: Any) -> Any:
            asked.append(response_format)
            raise RtbridgeError("the text endpoint is down")

    running = await serve(scripted(text=Asked()))
    schema = {"type": "object"}
    flat = {"type": "json_schema", "name": "n", "schema": schema}
    nested = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{running.port}/v1/") as http:
        response = await http.post("responses", json={"input": "x", "text": {"format": flat}})
        assert response.status == 502
        assert (await _json(response))["error"]["message"] == "the text endpoint is down"
        message = {"role": "user", "content": "x"}
        await http.post("chat/completions", json={"messages": [message], "response_format": nested})
    assert asked == [flat, flat]
    await running.close()


async def test_going_down_closes_connections_with_1001_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    running = await serve(scripted())
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(running.realtime_url)
        await socket.receive_json()
        closing = asyncio.get_running_loop().create_task(running.close())
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1001
        await socket.close()
        await closing
    assert asyncio.all_tasks() == before


async def test_a_connection_that_fails_is_closed_with_1011_and_its_neighbour_lives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Vad:
        def feed(self, pcm: bytes) -> list[Any]:
            raise ValueError("deaf")

        def reset(self) -> None:
            pass

    running = await serve(scripted(vad=lambda config: Vad()))
    async with aiohttp.ClientSession() as session:
        neighbour = await session.ws_connect(running.realtime_url)
        socket = await session.ws_connect(running.realtime_url)
        await socket.receive_json()
        await neighbour.receive_json()
        audio = base64.b64encode(silence(20)).decode()
        await socket.send_json({"type": "input_audio_buffer.append", "audio": audio})
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1011
        await neighbour.send_json({"type": "input_audio_buffer.clear"})
        assert (await neighbour.receive_json())["type"] == "input_audio_buffer.cleared"
        await neighbour.close()
    await running.close()
    assert "deaf" in caplog.text


async def test_a_client_that_vanishes_in_the_middle_of_an_answer_leaves_nothing() -> None:
    running = await serve(scripted(lambda turn: [Say("word " * 5_000)]))
    reader, writer = await _raw(running.port)
    frame = b'{"type":"response.create"}'
    writer.write(bytes([0x81, 0x80 | len(frame)]) + bytes(4) + frame)
    while b"response.output_audio.delta" not in (await _next_frame(reader))[1]:
        pass
    writer.transport.abort()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{running.port}") as http, asyncio.timeout(10):
        while (await _json(await http.get("/livez")))["connections"]:  # noqa: ASYNC110 - asked over HTTP
            await asyncio.sleep(0.01)
    await running.close()


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing(engine: RunningEngine) -> None:
    before = asyncio.all_tasks()
    with pytest.raises(OSError, match="address already in use"):
        await serve(scripted(), "127.0.0.1", engine.port)
    assert asyncio.all_tasks() == before
