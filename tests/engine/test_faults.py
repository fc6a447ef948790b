"""Scripted faults: each happens at its event and nowhere else, in memory and over a socket alike."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from rtbridge.engine import faults
from rtbridge.engine.faults import EVENTS, BadFault, Fault, read_fault
from rtbridge.engine.memory import MemoryClient, MemoryUpstream, connect_in_memory
from rtbridge.engine.server import serving
from rtbridge.errors import UpstreamLost, UpstreamRefused
from rtbridge.replay.clock import on_virtual_time
from rtbridge.upstream.port import Capabilities
from scripted_engine import scripted

ASK = {
    "type": "conversation.item.create",
    "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]},
}
CREATE = {"type": "response.create", "response": {"output_modalities": ["text"]}}


async def answered(client: MemoryClient, *, until: str = "response.done") -> list[dict[str, object]]:
    """Ask for an answer in text; return every event up to `until`, or to the end of the connection."""
    await client.send(ASK)
    await client.send(CREATE)
    found = []
    async for event in client:
        found.append(event)
        if event["type"] == until:
            break
    return found


def kinds(found: list[dict[str, object]]) -> list[object]:
    return [event["type"] for event in found]


def test_every_event_that_the_engine_sends_can_be_named_in_a_fault() -> None:
    folder = Path(faults.__file__).parent
    code = "\n".join(file.read_text() for file in folder.glob("*.py") if file.name != "faults.py")
    sent = set(re.findall(r'emit\(\s*"([a-z_.]+)"|_event\("([a-z_.]+\.[a-z_.]+)"', code))
    names = {one or other for one, other in sent}
    assert len(names) > 20
    assert names <= set(EVENTS)


@pytest.mark.parametrize(
    ("after", "do", "fault"),
    [
        ("response.output_audio.delta:5", "reset", Fault("response.output_audio.delta", 5, "reset")),
        ("response.created", "close:1001", Fault("response.created", 1, "close", code=1001)),
        ("response.create:2", "stall:2.5s", Fault("response.create", 2, "stall", stall_s=2.5)),
        (
            "session.updated",
            "error:rate_limit_exceeded",
            Fault("session.updated", 1, "error", error="rate_limit_exceeded"),
        ),
        ("connect", "429", Fault("connect", 1, "refuse", code=429)),
    ],
)
def test_a_fault_is_read_as_it_is_written(after: str, do: str, fault: Fault) -> None:
    assert read_fault(after, do) == fault


@pytest.mark.parametrize(
    ("after", "do", "key", "words"),
    [
        ("response.audio:1", "reset", "after", "the type of an event"),
        ("response.created:0", "reset", "after", "the type of an event"),
        ("response.created", "explode", "do", "one of reset"),
        ("response.created", "close:1006", "do", "codes as the protocol has them"),
        ("response.created", "stall:121s", "do", "at most 120 s"),
        ("response.created", "stall:0s", "do", "at most 120 s"),
        ("response.created", "429", "do", "the answer to connect"),
        ("connect", "reset", "do", "the answer to connect"),
        ("connect:2", "429", "after", "happens once"),
        ("connect", "418", "do", "a status of 401"),
        ("response.create", "drop", "do", "sent by the client"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_in_words(after: str, do: str, key: str, words: str) -> None:
    with pytest.raises(BadFault, match=words) as refused:
        read_fault(after, do)
    assert refused.value.key == key


@on_virtual_time()
async def test_a_reset_ends_the_connection_right_after_its_event() -> None:
    async with connect_in_memory(scripted(), faults=[read_fault("response.created", "reset")]) as client:
        found = kinds(await answered(client))
    assert found[-1] == "response.created"
    assert client.ending == "1006 the connection broke"


@on_virtual_time()
async def test_a_fault_after_what_the_client_sends_comes_before_any_answer_to_it() -> None:
    async with connect_in_memory(scripted(), faults=[read_fault("response.create", "close:1012")]) as client:
        found = kinds(await answered(client))
    assert "response.created" not in found
    assert client.ending == "close code 1012"


@on_virtual_time()
async def test_a_stall_holds_back_everything_for_exactly_its_time() -> None:
    loop = asyncio.get_running_loop()
    async with connect_in_memory(scripted(), faults=[read_fault("response.created", "stall:3s")]) as client:
        await answered(client, until="response.created")
        began_s = loop.time()
        await anext(aiter(client))
        assert loop.time() - began_s == pytest.approx(3.0)


@on_virtual_time()
async def test_an_event_is_dropped_or_repeated_and_only_that_one() -> None:
    plain = connect_in_memory(scripted())
    async with plain:
        usual = kinds(await answered(plain))
    delta = "response.output_text.delta"
    assert usual.count(delta) >= 2
    for do, difference in (("drop", -1), ("repeat", 1)):
        async with connect_in_memory(scripted(), faults=[read_fault(f"{delta}:2", do)]) as client:
            found = kinds(await answered(client))
        assert found.count(delta) == usual.count(delta) + difference
        assert len(found) == len(usual) + difference


@on_virtual_time()
async def test_an_error_event_follows_and_the_response_goes_on() -> None:
    async with connect_in_memory(
        scripted(), faults=[read_fault("response.created", "error:overloaded")]
    ) as client:
        found = await answered(client)
    (error,) = [event for event in found if event["type"] == "error"]
    assert error["error"]["code"] == "overloaded"  # type: ignore[index]
    assert found[-1]["response"]["status"] == "completed"  # type: ignore[index]


@on_virtual_time()
async def test_a_response_fails_with_the_code_that_was_asked_for_and_the_next_one_does_not() -> None:
    wanted = read_fault("response.created:1", "fail:insufficient_quota")
    async with connect_in_memory(scripted(), faults=[wanted]) as client:
        first, second = (await answered(client))[-1], (await answered(client))[-1]
    assert first["response"]["status"] == "failed"  # type: ignore[index]
    assert first["response"]["status_details"]["error"]["code"] == "insufficient_quota"  # type: ignore[index]
    assert second["response"]["status"] == "completed"  # type: ignore[index]


@pytest.mark.parametrize(
    ("status", "kind"), [("401", UpstreamRefused), ("429", UpstreamLost), ("503", UpstreamLost)]
)
async def test_a_refused_connection_is_the_error_that_a_socket_gives(
    status: str, kind: type[Exception]
) -> None:
    upstream = MemoryUpstream(scripted(), capabilities=Capabilities(), faults=[read_fault("connect", status)])
    with pytest.raises(kind, match=f"answered {status}"):
        await upstream.connect()
    await upstream.close()


@asynccontextmanager
async def dialled(fault: Fault) -> AsyncIterator[aiohttp.ClientWebSocketResponse[bool]]:
    async with (
        aiohttp.ClientSession() as http,
        serving(scripted(), faults=[fault]) as engine,
        http.ws_connect(engine.realtime_url) as ws,
    ):
        yield ws


async def test_over_a_socket_a_close_is_one_with_its_code() -> None:
    async with dialled(read_fault("session.created", "close:1013")) as ws:
        assert (await ws.receive_json())["type"] == "session.created"
        await ws.receive()
        assert ws.close_code == 1013


async def test_over_a_socket_a_reset_comes_without_a_close_frame() -> None:
    async with dialled(read_fault("session.created", "reset")) as ws:
        await ws.receive()
        await ws.receive()
        assert ws.close_code == 1006


async def test_over_a_socket_garbage_is_a_frame_that_is_no_json() -> None:
    async with dialled(read_fault("session.created", "garbage")) as ws:
        await ws.receive_json()
        with pytest.raises(ValueError, match="Expecting value"):
            await ws.receive_json()


async def test_over_a_socket_a_refusal_is_an_http_answer_with_retry_after() -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with dialled(read_fault("connect", "429")):
            pass
    assert refused.value.status == 429
    assert refused.value.headers is not None
    assert refused.value.headers["Retry-After"] == "1"
