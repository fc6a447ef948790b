"""The `session` of session.update, from the SDK's settings; checked against the types of the openai package."""

from __future__ import annotations

from typing import Any

import pytest
from agents.exceptions import UserError
from agents.realtime import (
    RealtimeModelSendAudio,
    RealtimeModelSendInterrupt,
    RealtimeModelSendRawMessage,
    RealtimeModelSendUserInput,
    RealtimeSessionModelSettings,
    realtime_handoff,
)
from openai.types.realtime import RealtimeSessionCreateRequest
from pydantic import TypeAdapter

from agents import WebSearchTool, function_tool
from rtbridge.core.asks import Ask, ConfigureSession, StopSpeaking, UserText
from rtbridge.upstream.model import BridgeModel
from rtbridge.upstream.wire import wire_session
from sdk_rig import agent_with, created

PCM = {"type": "audio/pcm", "rate": 24000}


@function_tool
def lookup(zip_code: str) -> str:
    """Find a store."""
    return zip_code


def session_of(settings: dict[str, Any], *, first: bool = True) -> dict[str, Any]:
    given: RealtimeSessionModelSettings = settings  # type: ignore[assignment]
    session = wire_session(given, first=first)
    TypeAdapter(RealtimeSessionCreateRequest).validate_python(session)
    return session


def test_empty_settings_give_the_least_session() -> None:
    assert session_of({}) == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": PCM,
                "transcription": {"model": "gpt-4o-mini-transcribe"},
                "turn_detection": {"type": "server_vad"},
            },
            "output": {"format": PCM},
        },
        "tools": [],
    }


def test_all_settings_arrive_in_their_places() -> None:
    session = session_of(
        {
            "instructions": "Be kind.",
            "audio": {
                "input": {
                    "noise_reduction": {"type": "near_field"},
                    "transcription": {"model": "whisper-1", "language": "de"},
                    "turn_detection": {"type": "semantic_vad", "eagerness": "high"},
                },
                "output": {"voice": "sage", "speed": 1.1},
            },
            "tool_choice": "auto",
            "max_output_tokens": 900,
            "parallel_tool_calls": False,
            "reasoning": {"effort": "low"},
            "prompt": {"id": "pmpt_1", "variables": {"name": "Jo"}},
            "tracing": {"workflow_name": "w"},
            "model_name": "gpt-realtime",
        }
    )
    assert session == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": "Be kind.",
        "audio": {
            "input": {
                "format": PCM,
                "noise_reduction": {"type": "near_field"},
                "transcription": {"model": "whisper-1", "language": "de"},
                "turn_detection": {"type": "semantic_vad", "eagerness": "high"},
            },
            "output": {"format": PCM, "voice": "sage", "speed": 1.1},
        },
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": 900,
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low"},
        "prompt": {"id": "pmpt_1", "variables": {"name": "Jo"}},
        "tracing": {"workflow_name": "w"},
    }


def test_the_older_flat_settings_are_understood() -> None:
    session = session_of(
        {
            "modalities": ["text"],
            "voice": {"id": "voice_1"},
            "speed": 0.9,
            "input_audio_transcription": {"model": "whisper-1"},
            "input_audio_noise_reduction": {"type": "far_field"},
            "turn_detection": {"type": "server_vad", "silenceDurationMs": 300},
        }
    )
    assert session["output_modalities"] == ["text"]
    assert session["audio"]["output"] == {"format": PCM, "voice": {"id": "voice_1"}, "speed": 0.9}
    assert session["audio"]["input"] == {
        "format": PCM,
        "transcription": {"model": "whisper-1"},
        "noise_reduction": {"type": "far_field"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
    }


def test_what_the_call_obeys_of_turn_detection_is_named_as_on_the_wire() -> None:
    detection = {"type": "server_vad", "create_response": True, "interruptResponse": True, "threshold": 0.4}
    session = session_of({"turn_detection": detection})
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "create_response": True,
        "interrupt_response": True,
        "threshold": 0.4,
    }


def test_no_turn_detection_means_push_to_talk() -> None:
    session = session_of({"audio": {"input": {"turn_detection": None}}})
    assert session["audio"]["input"]["turn_detection"] is None


def test_tools_and_handoffs_become_functions() -> None:
    billing = agent_with(name="billing")
    session = session_of(
        {"tools": [lookup], "handoffs": [realtime_handoff(billing)], "tool_choice": "lookup"}
    )
    assert [(tool["type"], tool["name"]) for tool in session["tools"]] == [
        ("function", "lookup"),
        ("function", "transfer_to_billing"),
    ]
    assert session["tools"][0]["description"] == "Find a store."
    assert session["tools"][0]["parameters"]["required"] == ["zip_code"]
    assert session["tools"][1]["parameters"]["properties"] == {}
    assert session["tool_choice"] == {"type": "function", "name": "lookup"}


def test_a_hosted_tool_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"web_search.*WebSearchTool.*function_tool"):
        session_of({"tools": [WebSearchTool()]})


def test_tracing_is_off_unless_configured_and_sent_once() -> None:
    assert "tracing" not in session_of({"tracing": None})
    assert session_of({"tracing": "auto"})["tracing"] == "auto"
    assert "tracing" not in session_of({"tracing": "auto"}, first=False)


async def test_one_model_serves_one_session_at_a_time() -> None:
    asks: list[Ask] = []
    model = BridgeModel(asks.append)
    await model.connect({})
    with pytest.raises(AssertionError, match="one session"):
        await model.connect({})
    await model.close()
    await model.connect({})
    assert [type(ask) for ask in asks] == [ConfigureSession, ConfigureSession]


async def test_a_conditional_wish_is_asked_only_when_it_holds() -> None:
    asks: list[Ask] = []
    model = BridgeModel(asks.append)
    assert not await model.send_event_if(RealtimeModelSendUserInput("no"), lambda: False)
    assert await model.send_event_if(RealtimeModelSendUserInput("yes"), lambda: True)
    assert asks == [UserText("yes")]


async def test_an_interrupt_of_an_older_response_stops_nothing() -> None:
    asks: list[Ask] = []
    model = BridgeModel(asks.append)
    await model.deliver(created("resp_2"))
    await model.send_event(RealtimeModelSendInterrupt(response_id="resp_1", playback_only=True))
    assert asks == []
    await model.send_event(RealtimeModelSendInterrupt(response_id="resp_2", force_response_cancel=True))
    assert asks == [StopSpeaking()]


async def test_audio_and_raw_events_have_no_way_through_the_session() -> None:
    model = BridgeModel(lambda _ask: None)
    with pytest.raises(UserError, match="straight to the upstream"):
        await model.send_event(RealtimeModelSendAudio(audio=b""))
    with pytest.raises(UserError, match="arbiter alone"):
        await model.send_event(RealtimeModelSendRawMessage(message={"type": "response.create"}))
