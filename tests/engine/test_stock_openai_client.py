"""A client written by others, unmodified: the `openai` package, realtime and text."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from rtbridge.engine.parts import Act, Call, EngineParts, Say, Turn
from rtbridge.engine.server import serving
from scripted_engine import WORD_SAMPLES, check_strictly, last_text, scripted, silence, speech

Event = dict[str, Any]
SERVER_VAD = {"type": "server_vad", "silence_duration_ms": 200}
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "the weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@asynccontextmanager
async def stock_client(parts: EngineParts) -> AsyncIterator[AsyncOpenAI]:
    async with (
        serving(parts) as engine,
        AsyncOpenAI(api_key="any", base_url=f"http://127.0.0.1:{engine.port}/v1") as client,
    ):
        yield client


@asynccontextmanager
async def connected(parts: EngineParts) -> AsyncIterator[AsyncRealtimeConnection]:
    async with stock_client(parts) as client, client.realtime.connect(model="m") as connection:
        assert (await connection.recv()).type == "session.created"
        yield connection


async def until(connection: AsyncRealtimeConnection, *types: str) -> list[Event]:
    """Receive up to the first event of one of these types; every event on the way is checked strictly."""
    found: list[Event] = []
    async with asyncio.timeout(10):
        while not found or found[-1]["type"] not in types:
            found.append(json.loads(await connection.recv_bytes()))
            check_strictly(found[-1])
    return found


async def append(connection: AsyncRealtimeConnection, pcm: bytes) -> None:
    for start in range(0, len(pcm), 9_600):
        await connection.input_audio_buffer.append(
            audio=base64.b64encode(pcm[start : start + 9_600]).decode()
        )


def transcript(found: list[Event]) -> str:
    return "".join(e["delta"] for e in found if e["type"] == "response.output_audio_transcript.delta")


def audio(found: list[Event]) -> bytes:
    return b"".join(base64.b64decode(e["delta"]) for e in found if e["type"] == "response.output_audio.delta")


async def user_says(connection: AsyncRealtimeConnection, text: str) -> None:
    content: Any = [{"type": "input_text", "text": text}]
    await connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
    await connection.response.create()


async def test_a_session_update_is_echoed_whole() -> None:
    async with connected(scripted()) as connection:
        await connection.session.update(session={"type": "realtime", "instructions": "be kind"})
        updated = await connection.recv()
        assert updated.type == "session.updated"
        assert updated.session.type == "realtime"
        assert updated.session.instructions == "be kind"


async def test_a_text_turn_is_answered_by_voice() -> None:
    async with connected(scripted()) as connection:
        await user_says(connection, "hello")
        found = await until(connection, "response.done")
        assert transcript(found) == "You said hello. "
        assert len(audio(found)) == 3 * WORD_SAMPLES * 2
        assert found[-1]["response"]["status"] == "completed"


async def test_a_text_turn_is_answered_in_text_when_asked() -> None:
    async with connected(scripted()) as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        await user_says(connection, "hello")
        found = await until(connection, "response.done")
        assert [e["text"] for e in found if e["type"] == "response.output_text.done"] == ["You said hello."]


async def test_a_spoken_turn_with_server_vad_is_heard_and_answered() -> None:
    async with connected(scripted()) as connection:
        session: Any = {
            "type": "realtime",
            "audio": {"input": {"turn_detection": SERVER_VAD, "transcription": {"model": "whisper-1"}}},
        }
        await connection.session.update(session=session)
        await append(connection, silence(500) + speech("hello there") + silence(400))
        found = await until(connection, "response.done")
        heard = [e for e in found if e["type"].endswith("input_audio_transcription.completed")]
        assert [e["transcript"] for e in heard] == ["hello there"]
        assert transcript(found) == "You said hello there. "


async def test_a_spoken_turn_committed_by_hand_is_heard_and_answered() -> None:
    async with connected(scripted()) as connection:
        session: Any = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        await connection.session.update(session=session)
        await append(connection, speech("yes please"))
        await connection.input_audio_buffer.commit()
        await connection.response.create()
        assert transcript(await until(connection, "response.done")) == "You said yes please. "


def _weather(turn: Turn) -> list[Act]:
    answered = turn.items[-1]["type"] == "function_call_output"
    return [Say(last_text(turn))] if answered else [Call("weather", '{"city": "Paris"}')]


async def test_a_function_call_round_trip() -> None:
    async with connected(scripted(_weather)) as connection:
        session: Any = {"type": "realtime", "tools": [WEATHER]}
        await connection.session.update(session=session)
        await user_says(connection, "weather in Paris")
        done = (await until(connection, "response.done"))[-1]["response"]
        (call,) = done["output"]
        assert (call["name"], json.loads(call["arguments"])) == ("weather", {"city": "Paris"})
        await connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        )
        await connection.response.create()
        assert transcript(await until(connection, "response.done")) == "result sunny "


async def test_a_cancel_in_the_middle_stops_the_voice() -> None:
    long = "word " * 2_000  # eight minutes
    async with connected(scripted(lambda turn: [Say(long)])) as connection:
        await user_says(connection, "go on")
        found = await until(connection, "response.output_audio.delta")
        await connection.response.cancel()
        found += await until(connection, "response.done")
        assert found[-1]["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        assert len(audio(found)) < len(long.split()) * WORD_SAMPLES * 2 // 2
        (item,) = found[-1]["response"]["output"]
        assert item["content"][0]["transcript"] == transcript(found)
        await connection.response.cancel()
        rest = await until(connection, "error")
        assert [e["type"] for e in rest] == ["rate_limits.updated", "error"]
        assert rest[-1]["error"]["code"] == "response_cancel_not_active"


async def test_truncation_cuts_what_the_engine_remembers() -> None:
    async with connected(scripted()) as connection:
        await user_says(connection, "hello")
        item_id = (await until(connection, "response.done"))[-1]["response"]["output"][0]["id"]
        await connection.conversation.item.truncate(item_id=item_id, content_index=0, audio_end_ms=480)
        await until(connection, "conversation.item.truncated")
        await connection.conversation.item.retrieve(item_id=item_id)
        item = (await until(connection, "conversation.item.retrieved"))[-1]["item"]
        assert item["content"][0]["transcript"] == "You said"
        assert len(base64.b64decode(item["content"][0]["audio"])) == 480 * 48
        await connection.conversation.item.truncate(item_id=item_id, content_index=0, audio_end_ms=481)
        refused = (await until(connection, "error"))[-1]["error"]
        assert refused["message"] == "Audio content of 480ms is already shorter than 481ms"


async def test_a_bad_event_is_an_error_with_its_event_id_and_the_connection_lives() -> None:
    async with connected(scripted()) as connection:
        await connection.send({"type": "conversation.item.delete", "item_id": "nope", "event_id": "mine"})
        refused = (await until(connection, "error"))[-1]["error"]
        assert (refused["code"], refused["event_id"]) == ("item_delete_invalid_item_id", "mine")
        await connection.send_raw("{not json")
        assert (await until(connection, "error"))[-1]["error"]["code"] == "invalid_json"
        await user_says(connection, "still there")
        assert (await until(connection, "response.done"))[-1]["response"]["status"] == "completed"


@pytest.mark.parametrize("stream", [False, True])
async def test_responses_create(stream: bool) -> None:
    async with stock_client(scripted()) as client:
        if not stream:
            response = await client.responses.create(model="m", input="hello", instructions="be kind")
        else:
            async with client.responses.stream(model="m", input="hello") as events:
                seen = [event.type async for event in events]
                response = await events.get_final_response()
            assert seen[0] == "response.created"
            assert seen[-1] == "response.completed"
        assert response.output_text == "m heard hello"
        assert response.usage is not None
        assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


async def test_responses_create_with_a_tool() -> None:
    async with stock_client(scripted()) as client:
        tool: Any = {**WEATHER, "strict": False}
        asked: list[Any] = [{"role": "user", "content": "weather?"}]
        response = await client.responses.create(model="m", input=asked, tools=[tool])
        call = response.output[0]
        assert call.type == "function_call"
        asked += [
            call.to_dict(),
            {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"},
        ]
        response = await client.responses.create(model="m", input=asked, tools=[tool])
        assert response.output_text == "m heard sunny"


@pytest.mark.parametrize("stream", [False, True])
async def test_chat_completions_create(stream: bool) -> None:
    messages: list[Any] = [{"role": "system", "content": "s"}, {"role": "user", "content": "hello"}]
    async with stock_client(scripted()) as client:
        if not stream:
            completion = await client.chat.completions.create(model="m", messages=messages)
        else:
            async with client.chat.completions.stream(
                model="m", messages=messages, stream_options={"include_usage": True}
            ) as events:
                async for _ in events:
                    pass
                completion = await events.get_final_completion()
        assert completion.choices[0].message.content == "m heard hello"
        assert completion.choices[0].finish_reason == "stop"
        assert completion.usage is not None


async def test_chat_completions_create_with_a_tool() -> None:
    tool: Any = {"type": "function", "function": {k: v for k, v in WEATHER.items() if k != "type"}}
    async with stock_client(scripted()) as client:
        messages: list[Any] = [{"role": "user", "content": "weather?"}]
        completion = await client.chat.completions.create(model="m", messages=messages, tools=[tool])
        assert completion.choices[0].finish_reason == "tool_calls"
        (call,) = completion.choices[0].message.tool_calls or []
        assert call.type == "function"
        assert json.loads(call.function.arguments) == {"city": "Paris"}


async def test_streamed_tool_calls_in_both_spellings() -> None:
    nested: Any = {"type": "function", "function": {k: v for k, v in WEATHER.items() if k != "type"}}
    flat: Any = {**WEATHER, "strict": False}
    async with stock_client(scripted()) as client:
        messages: list[Any] = [{"role": "user", "content": "weather?"}]
        async with client.chat.completions.stream(model="m", messages=messages, tools=[nested]) as chunks:
            completion = await chunks.get_final_completion()
        (asked,) = completion.choices[0].message.tool_calls or []
        assert json.loads(asked.function.arguments) == {"city": "Paris"}
        async with client.responses.stream(model="m", input="weather?", tools=[flat]) as events:
            seen = [event.type async for event in events]
            response = await events.get_final_response()
        assert "response.function_call_arguments.delta" in seen
        call = response.output[0]
        assert call.type == "function_call"
        assert json.loads(call.arguments) == {"city": "Paris"}
