"""The driver in memory: on real and on virtual time, with parts that fail and clients that do not read."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rtbridge.core import pcm as pcm_of
from rtbridge.engine.connection import MAX_DELTA_SAMPLES, MAX_UNSENT, deltas, random_id
from rtbridge.engine.memory import MAX_FRAMES, MemoryClient, MemoryUpstream, MemoryWire, connect_in_memory
from rtbridge.engine.parts import Act, Call, EngineParts, Say, Spoken, Turn, VadEdge
from rtbridge.errors import Closed, RtbridgeError, UpstreamLost
from rtbridge.replay.clock import on_virtual_time, run_virtual
from rtbridge.upstream.port import Capabilities, Upstream
from scripted_engine import (
    WORD_SAMPLES,
    LevelEars,
    LevelVad,
    check_strictly,
    numbered_ids,
    scripted,
    silence,
    speech,
)

Event = dict[str, Any]


async def until(client: MemoryClient, type_: str) -> list[Event]:
    found: list[Event] = []
    async with asyncio.timeout(10):
        async for event in client:
            check_strictly(event)
            found.append(event)
            if event["type"] == type_:
                return found
    raise AssertionError(f"no {type_} in {[event['type'] for event in found]}")


def of(found: list[Event], type_: str) -> list[Event]:
    return [event for event in found if event["type"] == type_]


async def user_says(client: MemoryClient, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    await client.send(
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}
    )
    await client.send({"type": "response.create"})


# -- pieces ---------------------------------------------------------------------------------------------------
def test_deltas_are_cut_at_words_and_at_200_ms_and_lose_nothing() -> None:
    pcm = bytes(range(256)) * 150  # 19,200 samples
    spoken = Spoken(pcm, (("Hello, ", 960), ("wide ", 10_000), ("world.", 10_000), (" Bye", 99_999)))
    found = list(deltas(spoken))
    assert b"".join(audio for _, audio in found) == pcm
    assert "".join(text for text, _ in found) == "Hello, wide world. Bye"
    assert all(pcm_of.samples_of(audio) <= MAX_DELTA_SAMPLES for _, audio in found)
    heard = 0
    at = {}
    for text, audio in found:
        if text:
            at[text] = heard
        heard += pcm_of.samples_of(audio)
    assert at == {"Hello, ": 960, "wide world.": 10_000, " Bye": 19_200}


def test_random_ids_fit_the_apis_bound() -> None:
    assert random_id("item") != random_id("item")
    assert len(random_id("event")) <= 32


# -- conversations --------------------------------------------------------------------------------------------
async def test_audio_arrives_faster_than_it_plays() -> None:
    async with connect_in_memory(scripted(lambda turn: [Say("word " * 100)])) as client:
        await user_says(client, "go")
        started = asyncio.get_running_loop().time()
        found = await until(client, "response.done")
        took_s = asyncio.get_running_loop().time() - started
    audio_s = 100 * WORD_SAMPLES / pcm_of.RATE
    assert len(of(found, "response.output_audio.delta")) >= 100
    assert took_s < audio_s / 4


@on_virtual_time()
async def test_a_whole_spoken_turn_takes_no_virtual_time_beyond_its_audio() -> None:
    loop = asyncio.get_running_loop()
    async with connect_in_memory(scripted(), prompt_id="simple_handoff/greeter") as client:
        created = (await until(client, "session.created"))[0]["session"]
        assert created["prompt"]["id"] == "simple_handoff/greeter"
        spoken = silence(500) + speech("hello there") + silence(600)
        for start in range(0, len(spoken), 960):
            frame = base64.b64encode(spoken[start : start + 960]).decode()
            await client.send({"type": "input_audio_buffer.append", "audio": frame})
            await asyncio.sleep(0.02)
        found = await until(client, "response.done")
        assert found[-1]["response"]["output"][0]["content"][0]["transcript"] == "You said hello there. "
        assert loop.time() == pytest.approx(1.7)


def _recorded_call() -> str:
    async def call() -> str:
        async with connect_in_memory(scripted(), new_id=numbered_ids()) as client:
            await user_says(client, "hello")
            found = await until(client, "response.done")
            pcm = base64.b64encode(speech("yes please") + silence(600)).decode()
            await client.send({"type": "input_audio_buffer.append", "audio": pcm})
            found += await until(client, "response.done")
        return json.dumps(found)

    return run_virtual(call, limit_s=60)


def test_the_same_call_gives_the_same_bytes() -> None:
    assert len({_recorded_call() for _ in range(5)}) == 1


class Stuck:
    """A voice that speaks word by word for ever and counts the words it was asked for."""

    def __init__(self) -> None:
        self.made = 0

    def speak(self, text: str, *, voice: str, speed: float) -> Iterator[Spoken]:
        while True:
            self.made += 1
            yield Spoken(silence(240), (("word ", 0),))


@on_virtual_time()
async def test_a_client_that_does_not_read_holds_its_own_response_up() -> None:
    voice = Stuck()
    async with connect_in_memory(scripted(voice=voice)) as client:
        await user_says(client, "go")
        await asyncio.sleep(1)  # virtual: all that can run has run
        assert MAX_FRAMES // 4 < voice.made <= MAX_FRAMES
        await client.send({"type": "response.cancel"})
        await asyncio.sleep(1)
        made = voice.made
        done = (await until(client, "response.done"))[-1]["response"]
        assert done["status"] == "cancelled"
        assert voice.made <= made + 1


@on_virtual_time()
async def test_a_client_that_does_not_read_is_not_read_from() -> None:
    sent = 0
    async with connect_in_memory(scripted()) as client:
        try:
            async with asyncio.timeout(1):
                while True:
                    await client.send({"type": "no such event"})
                    sent += 1
        except TimeoutError:
            pass
        assert sent <= MAX_UNSENT + 2 * MAX_FRAMES + 2
        assert len(of(await until(client, "error"), "error")) == 1


async def test_after_a_cancel_no_delta_follows_the_end() -> None:
    async with connect_in_memory(scripted(voice=Stuck())) as client:
        await user_says(client, "go")
        await until(client, "response.output_audio.delta")
        await client.send({"type": "response.cancel"})
        await until(client, "response.done")
        await client.send({"type": "input_audio_buffer.clear"})
        rest = await until(client, "input_audio_buffer.cleared")
        assert [event["type"] for event in rest] == ["rate_limits.updated", "input_audio_buffer.cleared"]


class Broken:
    def transcribe(self, pcm: bytes) -> str:
        raise ValueError("no such model")

    def answer(self, turn: Turn) -> list[Act]:
        raise ValueError("no idea")


async def test_wits_that_raise_fail_the_response_and_not_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with connect_in_memory(scripted(wits=Broken())) as client:
        await user_says(client, "hello")
        done = (await until(client, "response.done"))[-1]["response"]
        assert done["status"] == "failed"
        assert "ValueError" in done["status_details"]["error"]["message"]
        await client.send({"type": "input_audio_buffer.clear"})
        await until(client, "input_audio_buffer.cleared")
    assert "no idea" in caplog.text


async def test_what_the_wits_say_of_their_failure_reaches_the_client() -> None:
    def unthinking(turn: Turn) -> list[Act]:
        raise RtbridgeError("the text endpoint is down")

    async with connect_in_memory(scripted(unthinking)) as client:
        await user_says(client, "hello")
        done = (await until(client, "response.done"))[-1]["response"]
        assert done["status_details"]["error"]["message"] == "the text endpoint is down"


async def test_acts_after_a_cancel_are_not_begun() -> None:
    def acts(turn: Turn) -> Iterator[Act]:
        yield Say("one")
        yield Say("two")
        yield Call("never", "{}")

    async with connect_in_memory(scripted(acts, voice=Stuck())) as client:
        await user_says(client, "go")
        await until(client, "response.output_audio.delta")
        await client.send({"type": "response.cancel"})
        done = (await until(client, "response.done"))[-1]["response"]
        assert len(done["output"]) == 1
        await client.send({"type": "response.create", "response": {"output_modalities": ["text"]}})
        second = (await until(client, "response.done"))[-1]["response"]
        assert [item["type"] for item in second["output"]] == ["message", "message", "function_call"]


async def test_ears_that_raise_fail_the_transcription_and_the_turn_is_still_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with connect_in_memory(scripted(ears=Broken())) as client:
        audio = {"input": {"transcription": {"model": "whisper-1"}}}
        await client.send({"type": "session.update", "session": {"type": "realtime", "audio": audio}})
        pcm = base64.b64encode(speech("yes please") + silence(600)).decode()
        await client.send({"type": "input_audio_buffer.append", "audio": pcm})
        found = await until(client, "response.done")
        assert len(of(found, "conversation.item.input_audio_transcription.failed")) == 1
        assert found[-1]["response"]["status"] == "completed"
    assert "no such model" in caplog.text


async def send_audio(client: MemoryClient, pcm: bytes) -> None:
    await client.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})


@on_virtual_time()
async def test_what_was_heard_in_the_pause_is_not_heard_twice() -> None:
    ears = LevelEars()
    async with connect_in_memory(replace(scripted(), ears=ears)) as client:
        await send_audio(client, speech("hello there") + silence(300))
        await asyncio.sleep(0.1)
        assert len(ears.heard) == 1
        await send_audio(client, silence(400))
        found = await until(client, "response.done")
    assert len(ears.heard) == 1
    assert of(found, "response.output_audio.delta")


class DeafAtFirst(LevelEars):
    """Ears that fail the first time."""

    def transcribe(self, pcm: bytes) -> str:
        if super().transcribe(pcm) and len(self.heard) == 1:
            raise RuntimeError("no memory")
        return "yes please"


@on_virtual_time()
async def test_ears_that_failed_in_a_pause_that_was_not_the_end_are_no_failure() -> None:
    parts = replace(scripted(), ears=DeafAtFirst())
    async with connect_in_memory(parts) as client:
        await client.send(
            {
                "type": "session.update",
                "session": {"type": "realtime", "audio": {"input": {"transcription": {"model": "any"}}}},
            }
        )
        await send_audio(client, speech("hello there") + silence(300))
        await asyncio.sleep(0.1)
        await send_audio(client, speech("yes please") + silence(600))
        found = await until(client, "conversation.item.input_audio_transcription.completed")
    assert found[-1]["transcript"] == "yes please"
    assert not of(found, "conversation.item.input_audio_transcription.failed")


async def test_closing_in_the_middle_of_an_answer_ends_everything() -> None:
    before = asyncio.all_tasks()
    client = connect_in_memory(scripted(voice=Stuck()))
    await user_says(client, "go")
    await until(client, "response.output_audio.delta")
    await client.close()
    await client.close()
    assert asyncio.all_tasks() == before
    with pytest.raises(Closed):
        await client.send({"type": "response.cancel"})


async def test_a_wire_keeps_order_and_closes_for_both_ends() -> None:
    near, far = MemoryWire.pair()
    await near.send("1")
    await near.send("2")
    near.close()
    assert [await far.receive(), await far.receive()] == ["1", "2"]
    with pytest.raises(Closed):
        await far.receive()
    with pytest.raises(Closed):
        await far.send("3")


# -- as the bridge's upstream ---------------------------------------------------------------------------------
def _upstream(parts: EngineParts) -> Upstream:
    return MemoryUpstream(parts, capabilities=Capabilities(is_engine=True, word_times=True))


async def test_an_engine_in_memory_is_an_upstream() -> None:
    upstream = _upstream(scripted())
    assert upstream.capabilities.is_engine
    await upstream.connect()
    assert upstream.send_audio(speech("yes please") + silence(600)) == 0
    said = ""
    async with asyncio.timeout(10):
        async for event in upstream.events():
            said += event["delta"] if event["type"] == "response.output_audio_transcript.delta" else ""
            if event["type"] == "response.done":
                break
    assert said == "You said yes please. "
    await upstream.close()
    await upstream.close()
    with pytest.raises(Closed):
        upstream.send({"type": "response.create"})


async def test_audio_beyond_two_seconds_of_backlog_pushes_out_the_oldest_audio_only() -> None:
    upstream = _upstream(scripted())
    await upstream.connect()
    upstream.send({"type": "input_audio_buffer.clear"})
    assert sum(upstream.send_audio(silence(500)) for _ in range(5)) == 500  # nothing runs between these
    async with asyncio.timeout(10):
        async for event in upstream.events():
            if event["type"] == "input_audio_buffer.cleared":
                break
    await upstream.close()


async def test_an_engine_that_ends_by_itself_is_a_lost_upstream() -> None:
    upstream = MemoryUpstream(scripted(vad=Deaf), capabilities=Capabilities())
    await upstream.connect()
    upstream.send_audio(silence(100))
    async with asyncio.timeout(10):
        with pytest.raises(UpstreamLost, match="deaf"):
            [event async for event in upstream.events()]
    await upstream.close()


class Deaf(LevelVad):
    def feed(self, pcm: bytes) -> list[VadEdge]:
        raise ValueError("deaf")


WEATHER = {"type": "function", "name": "get_weather", "description": "Get the weather.", "parameters": {}}


async def update_tools(client: MemoryClient) -> None:
    await client.send({"type": "session.update", "session": {"type": "realtime", "tools": [WEATHER]}})
    await until(client, "session.updated")


async def test_the_tools_of_a_session_are_studied_before_anybody_asks_for_one() -> None:
    studied: asyncio.Queue[tuple[str | None, list[str]]] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def study(prompt_id: str | None, tools: Sequence[Mapping[str, Any]]) -> None:
        loop.call_soon_threadsafe(studied.put_nowait, (prompt_id, [tool["name"] for tool in tools]))

    async with connect_in_memory(scripted(study=study)) as client:
        await update_tools(client)
        assert await studied.get() == (None, ["get_weather"])


async def test_tools_that_cannot_be_studied_cost_nobody_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(prompt_id: str | None, tools: Any) -> None:
        raise ValueError("no such model")

    async with connect_in_memory(scripted(study=broken)) as client:
        await update_tools(client)
        await user_says(client, "hello")
        await until(client, "response.done")
    assert "no such model" in caplog.text
