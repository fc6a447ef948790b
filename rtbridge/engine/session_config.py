"""The session object of the Realtime API: its shape, its defaults, and how `session.update` merges into it.

What may be set is written down as shapes; what the engine cannot do (G.711, MCP tools, transcription
sessions) is refused by name rather than accepted and ignored. Settings that mean nothing to an engine
without a language model (tracing, truncation, reasoning, noise reduction) are taken and echoed, as a client
of the real API expects.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from rtbridge.engine import shapes as s
from rtbridge.engine.parts import VadConfig

Session = dict[str, Any]

_MODALITIES = s.listing(s.choice("text", "audio"), most=1)
_TOKENS = s.either("an integer or 'inf'", (int, s.number(1, 4096, whole=True)), (str, s.choice("inf")))
_PCM = s.tagged(
    "type", {"audio/pcm": s.record({"type": s.string(), "rate": s.number(24_000, 24_000, whole=True)})}
)
_TOOLS = s.listing(
    s.tagged(
        "type",
        {
            "function": s.record(
                {
                    "type": s.string(),
                    "name": s.string(64),
                    "description": s.nullable(s.string()),
                    "parameters": s.nullable(s.any_object),
                },
                required=("name",),
            )
        },
    ),
    most=128,
)
_TOOL_CHOICE = s.either(
    "a string or an object",
    (str, s.choice("none", "auto", "required")),
    (
        dict,
        s.tagged(
            "type", {"function": s.record({"type": s.string(), "name": s.string(64)}, required=("name",))}
        ),
    ),
)
_PROMPT = s.nullable(
    s.record(
        {
            "id": s.string(512),
            "version": s.nullable(s.string(64)),
            "variables": s.nullable(s.any_object),
        },
        required=("id",),
    )
)
_VOICE = s.either(
    "a string or an object", (str, s.string(64)), (dict, s.record({"id": s.string(64)}, required=("id",)))
)
_METADATA = s.mapping(s.string(512), most=16, longest_key=64)  # Realtime: 16 pairs of string and string
_REASONING = s.nullable(s.any_object)
_TURN_DETECTION = s.nullable(
    s.tagged(
        "type",
        {
            "server_vad": s.record(
                {
                    "type": s.string(),
                    "threshold": s.number(0, 1),
                    "prefix_padding_ms": s.number(0, 5_000, whole=True),
                    "silence_duration_ms": s.number(0, 10_000, whole=True),
                    "idle_timeout_ms": s.nullable(s.number(5_000, 30_000, whole=True)),
                    "create_response": s.boolean,
                    "interrupt_response": s.boolean,
                }
            ),
            "semantic_vad": s.record(
                {
                    "type": s.string(),
                    "eagerness": s.choice("low", "medium", "high", "auto"),
                    "create_response": s.boolean,
                    "interrupt_response": s.boolean,
                }
            ),
        },
    )
)
_TRANSCRIPTION = s.nullable(
    s.record(
        {
            "model": s.string(256),
            "language": s.nullable(s.string(64)),
            "languages": s.nullable(s.listing(s.string(64))),
            "prompt": s.nullable(s.string()),
            "keywords": s.nullable(s.listing(s.string(1024))),
            "delay": s.nullable(s.choice("minimal", "low", "medium", "high", "xhigh")),
        }
    )
)

UPDATE = s.tagged(
    "type",
    {
        "realtime": s.record(
            {
                "type": s.string(),
                "model": s.string(256),
                "instructions": s.string(),
                "output_modalities": _MODALITIES,
                "max_output_tokens": _TOKENS,
                "include": s.nullable(s.listing(s.choice("item.input_audio_transcription.logprobs"))),
                "audio": s.record(
                    {
                        "input": s.record(
                            {
                                "format": _PCM,
                                "transcription": _TRANSCRIPTION,
                                "noise_reduction": s.nullable(
                                    s.record(
                                        {
                                            "type": s.choice("near_field", "far_field"),
                                            "strength": s.number(0, 1),
                                        }
                                    )
                                ),
                                "turn_detection": _TURN_DETECTION,
                            }
                        ),
                        "output": s.record({"format": _PCM, "voice": _VOICE, "speed": s.number(0.25, 1.5)}),
                    }
                ),
                "tools": _TOOLS,
                "tool_choice": _TOOL_CHOICE,
                "parallel_tool_calls": s.nullable(s.boolean),
                "reasoning": _REASONING,
                "truncation": s.either(
                    "a string or an object", (str, s.choice("auto", "disabled")), (dict, s.any_object)
                ),
                "tracing": s.nullable(
                    s.either("a string or an object", (str, s.choice("auto")), (dict, s.any_object))
                ),
                "prompt": _PROMPT,
            }
        )
    },
)
"""What `session.update` may carry (Realtime: RealtimeSessionCreateRequest); the param paths begin at `session`."""

RESPONSE_OPTIONS: Mapping[str, s.Check] = {
    "conversation": s.nullable(s.choice("auto", "none")),
    "instructions": s.nullable(s.string()),
    "metadata": s.nullable(_METADATA),
    "output_modalities": _MODALITIES,
    "audio": s.record({"output": s.record({"format": _PCM, "voice": _VOICE})}),
    "tools": _TOOLS,
    "tool_choice": _TOOL_CHOICE,
    "parallel_tool_calls": s.nullable(s.boolean),
    "reasoning": _REASONING,
    "max_output_tokens": _TOKENS,
    "prompt": _PROMPT,
}
"""What `response.create` may carry beside `input` (Realtime: RealtimeResponseCreateParams)."""

_SERVER_VAD: Session = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_SEMANTIC_VAD: Session = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
# The engine has no model of how a sentence ends. Eagerness therefore chooses how long a silence ends a turn;
# the real API waits up to 8, 4 and 2 s (RealtimeAudioInputTurnDetection, SemanticVad.eagerness) after speech
# that its model finds unfinished, and far less after a finished sentence.
_SEMANTIC_SILENCE_MS = {"low": 1200, "medium": 700, "auto": 700, "high": 400}


def new_session(session_id: str, model: str, prompt_id: str | None) -> Session:
    """Return the session as `session.created` shows it: the API's defaults, every field present."""
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "instructions": "",
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "include": None,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": dict(_SERVER_VAD),
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "marin", "speed": 1.0},
        },
        "tools": [],
        "tool_choice": "auto",
        "truncation": "auto",
        "tracing": None,
        "prompt": None if prompt_id is None else {"id": prompt_id, "version": None, "variables": None},
    }


def merged(session: Session, update: Mapping[str, Any]) -> Session:
    """Return `session` with a checked `update` laid over it; nothing of the two is shared or changed.

    What the update leaves out stays. `audio` merges member by member; turn detection of the same type
    merges, of another type starts from that type's defaults; lists and all other members are replaced.
    """
    result: Session = copy.deepcopy(session)
    for key, value in update.items():
        if key != "audio":
            result[key] = copy.deepcopy(value)
    for side, wanted in update.get("audio", {}).items():
        for key, value in wanted.items():
            if key == "turn_detection" and value is not None:
                result["audio"][side][key] = _turn_detection(result["audio"][side][key], value)
            elif key == "voice":
                result["audio"][side][key] = voice_name(value)
            elif key == "format":
                result["audio"][side][key] = {"type": value["type"], "rate": 24_000}
            else:
                result["audio"][side][key] = copy.deepcopy(value)
    return result


def _turn_detection(now: Session | None, wanted: Mapping[str, Any]) -> Session:
    base = _SERVER_VAD if wanted["type"] == "server_vad" else _SEMANTIC_VAD
    kept = now if now is not None and now["type"] == wanted["type"] else base
    return {**kept, **wanted}


def turn_detection(session: Session) -> Session | None:
    """Return `audio.input.turn_detection`; None is push-to-talk."""
    found: Session | None = session["audio"]["input"]["turn_detection"]
    return found


def vad_config(session: Session) -> VadConfig | None:
    """Return what to build the Vad with, or None for push-to-talk."""
    found = turn_detection(session)
    if found is None:
        return None
    if found["type"] == "semantic_vad":
        return VadConfig(silence_ms=_SEMANTIC_SILENCE_MS[found["eagerness"]])
    return VadConfig(found["threshold"], found["prefix_padding_ms"], found["silence_duration_ms"])


def voice_name(voice: str | Mapping[str, Any]) -> str:
    """Return the name of a voice given as a name or as {"id": name}."""
    return voice if isinstance(voice, str) else str(voice["id"])
