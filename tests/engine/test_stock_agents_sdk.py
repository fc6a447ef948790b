"""The Agents SDK's RealtimeRunner, unmodified: of the stock clients the strictest reader of events."""

from __future__ import annotations

import asyncio
from typing import Any

from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession

from agents import function_tool
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.engine.server import RunningEngine, serving
from scripted_engine import last_text, scripted, silence, speech

SERVER_VAD = {"type": "server_vad", "silence_duration_ms": 200}


def _agents(calls: list[str]) -> RealtimeAgent[Any]:
    @function_tool
    def weather(city: str) -> str:
        """The weather of a city."""
        calls.append(city)
        return f"{city} is sunny"

    billing: RealtimeAgent[Any] = RealtimeAgent(name="billing", instructions="you are billing")
    return RealtimeAgent(
        name="greeter", instructions="you are the greeter", tools=[weather], handoffs=[billing]
    )


def _route(turn: Turn) -> list[Act]:
    said = last_text(turn)
    if "weather in" in said:
        return [Call("weather", '{"city": "Paris"}')]
    if "billing please" in said:
        return [Call("transfer_to_billing", "{}")]
    return [Say(f"{turn.instructions}: {said}")]


async def _run_until(session: RealtimeSession, words: str) -> list[Any]:
    """Take session events until the agent has said `words`; an error event fails the test."""
    seen: list[Any] = []
    said = ""
    async with asyncio.timeout(10):
        async for event in session:
            seen.append(event)
            assert event.type != "error", event
            if event.type == "raw_model_event" and event.data.type == "transcript_delta":
                said += event.data.delta
            if event.type == "agent_end" and words in said:
                return seen
    raise AssertionError(f"the session ended; said: {said!r}")


async def _agents_session(engine: RunningEngine, calls: list[str]) -> RealtimeSession:
    runner = RealtimeRunner(_agents(calls), config={"tracing_disabled": True})
    settings: Any = {"turn_detection": {**SERVER_VAD, "interrupt_response": True}}
    return await runner.run(
        model_config={
            "url": f"{engine.realtime_url}?model=m",
            "api_key": "any",
            "initial_model_settings": settings,
        }
    )


async def test_the_agents_sdk_calls_a_tool_and_hands_off_by_voice() -> None:
    calls: list[str] = []
    async with serving(scripted(_route)) as engine, await _agents_session(engine, calls) as session:
        await session.send_audio(speech("weather in Paris") + silence(400))
        seen = await _run_until(session, "you are the greeter: result Paris is sunny")
        assert calls == ["Paris"]
        assert [e.tool.name for e in seen if e.type == "tool_end"] == ["weather"]
        assert sum(len(e.audio.data) for e in seen if e.type == "audio") > 0
        await session.send_audio(speech("billing please") + silence(400))
        seen = await _run_until(session, "you are billing: result")
        assert [e.to_agent.name for e in seen if e.type == "handoff"] == ["billing"]
