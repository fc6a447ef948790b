"""Events that no sound server sends: they never raise, are counted, and what is well among them goes on."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from agents import function_tool
from rtbridge.upstream.model import MAX_CALL_IDS, BridgeModel, BridgeSession
from sdk_rig import agent_with, created, done, function_call, message, sdk, weather

BAD: list[Any] = [
    {},
    {"type": 7},
    {"type": ["response.done"]},
    {"type": "response.done"},
    {"type": "response.done", "response": "done"},
    {"type": "response.created", "response": []},
    {"type": "response.output_item.done", "item": None},
    {"type": "response.output_item.done", "item": {"type": "function_call", "status": "completed"}},
    {"type": "response.output_item.done", "item": {"type": "function_call", "name": "x", "call_id": 3}},
    {
        "type": "conversation.item.added",
        "item": {"type": "message", "id": "i", "role": "ghost", "content": []},
    },
    {
        "type": "conversation.item.added",
        "item": {"type": "message", "id": "i", "role": "user", "content": "hi"},
    },
    {"type": "conversation.item.added", "item": {"type": "message", "role": "user"}},
    {"type": "conversation.item.deleted", "item_id": None},
    {"type": "conversation.item.input_audio_transcription.completed", "item_id": "u1"},
    {"type": "error", "error": "everything"},
]


async def test_bad_events_never_raise_and_are_counted() -> None:
    async with sdk(agent_with(weather)) as (rig, _session):
        await rig.deliver(*BAD)
        assert rig.model.unreadable == len(BAD)
        assert rig.listener.events == []
        await rig.deliver({"type": "response.hologram.delta"}, {"type": "error", "error": {"code": "odd"}})
        assert rig.model.unreadable == len(BAD)
        assert rig.listener.types == ["error"]
        await rig.deliver(function_call("weather", '{"city": "Oslo"}'))
        assert await rig.output() == "Oslo: sunny"


JUNK: list[Any] = [None, 0, -1, 1.5, True, "", "x", [], [None], {}, {"type": "message"}, "\ud800", 10**400]
SOUND: list[dict[str, Any]] = [
    function_call("weather", '{"city": "Oslo"}'),
    message("conversation.item.added", "u1", "user", {"type": "input_audio", "transcript": "x"}),
    message("response.output_item.done", "a1", "assistant", {"type": "output_audio", "transcript": "x"}),
    message(
        "conversation.item.done", "s1", "system", {"type": "input_text", "text": "x"}, previous_item_id="u1"
    ),
    created(),
    done(usage={"input_tokens": 1, "output_tokens": 2, "input_token_details": {"cached_tokens": 3}}),
    {"type": "conversation.item.deleted", "item_id": "u1"},
    {"type": "conversation.item.input_audio_transcription.completed", "item_id": "u1", "transcript": "x"},
    {"type": "error", "error": {"type": "invalid_request_error", "code": "odd", "message": "x"}},
]


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((value, key), *_places(value[key]))]


async def test_ten_thousand_mutated_events_never_raise(count: Callable[[int, int], int]) -> None:
    dice = random.Random(7)
    told: list[Any] = []
    model = BridgeModel(lambda _ask: None)
    async with BridgeSession(model, agent_with(weather), None, settings={}, tell=told.append) as session:
        for number in range(count(2_000, 10_000)):
            event = copy.deepcopy(dice.choice(SOUND))
            for _mutation in range(dice.randint(1, 3)):
                holder, key = dice.choice(_places(event))
                holder[key] = copy.deepcopy(dice.choice(JUNK))
            await model.deliver(event)
            if number % 50 == 0:
                await asyncio.sleep(0)
        assert model.unreadable > 100
        assert told
        await model.deliver(
            message("conversation.item.added", "last", "user", {"type": "input_text", "text": "x"})
        )
        assert any(item.item_id == "last" for item in session._history)


async def test_the_calls_that_are_remembered_are_bounded() -> None:
    model = BridgeModel(lambda _ask: None)
    for number in range(MAX_CALL_IDS + 10):
        await model.deliver(function_call("weather", call_id=f"call_{number}"))
    assert len(model.open_calls) == MAX_CALL_IDS
    assert "call_0" not in model.open_calls


async def test_races_that_nobody_can_avoid_are_no_errors_to_the_sdk() -> None:
    async with sdk(agent_with()) as (rig, _session):
        for code in ("response_cancel_not_active", "conversation_already_has_active_response"):
            await rig.deliver({"type": "error", "error": {"type": "invalid_request_error", "code": code}})
        assert rig.listener.events == []


async def test_parts_of_an_item_that_are_unknown_are_left_out() -> None:
    async with sdk(agent_with()) as (rig, session):
        await rig.deliver(
            message(
                "conversation.item.added",
                "u1",
                "user",
                {"type": "input_text", "text": "look"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
                {"type": "hologram"},
            ),
            message("conversation.item.added", "s1", "system", {"type": "input_text", "text": "be kind"}),
            message(
                "conversation.item.added",
                "a1",
                "assistant",
                {"type": "output_text", "text": "ok"},
                {"type": "x"},
            ),
        )
        kept = [item.model_dump() for item in session._history]
        assert [len(item["content"]) for item in kept] == [2, 1, 1]
        assert "base64" not in json.dumps(kept)


async def test_a_function_call_that_was_cut_does_not_run() -> None:
    async with sdk(agent_with(weather)) as (rig, _session):
        await rig.deliver(
            function_call("weather", '{"city": "Os', status="incomplete"),
            {**function_call("weather", '{"city": "Oslo"}'), "type": "response.output_item.added"},
        )
        assert rig.listener.events == []
        assert rig.model.open_calls == {}


async def test_a_function_call_without_a_status_runs() -> None:
    async with sdk(agent_with(weather)) as (rig, _session):
        await rig.deliver(function_call("weather", '{"city": "Oslo"}', status=None))
        assert await rig.output() == "Oslo: sunny"


async def test_arguments_that_came_as_an_object_are_read_unless_they_are_nested_beyond_reason() -> None:
    deep: Any = {}
    for _level in range(100_000):
        deep = {"d": deep}
    async with sdk(agent_with(weather)) as (rig, _session):
        await rig.deliver(function_call("weather", arguments=deep))
        assert rig.model.unreadable == 1
        await rig.deliver(function_call("weather", arguments={"city": "Oslo"}))  # type: ignore[arg-type]
        assert await rig.output() == "Oslo: sunny"


async def test_a_function_call_that_comes_twice_runs_once() -> None:
    runs: Counter[str] = Counter()

    @function_tool
    async def count() -> int:
        runs["count"] += 1
        return runs["count"]

    async with sdk(agent_with(count)) as (rig, _session):
        await rig.deliver(function_call("count"), function_call("count"))
        assert await rig.output() == 1
        await rig.deliver(function_call("count"), function_call("count", '{"a": 1}'))
        await rig.deliver(function_call("count", call_id="call_2"))
        assert await rig.output() == 2
        assert rig.asks.empty()
