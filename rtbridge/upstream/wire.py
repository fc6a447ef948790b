"""RealtimeSessionModelSettings of the Agents SDK -> the GA wire shape of `session.update`'s `session`.

Pure translation from public fields. `turn_detection.create_response` and `.interrupt_response` are the call's to obey:
it never sends them on as they are. Source: `RealtimeSessionCreateRequest` of the OpenAI API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.exceptions import UserError
from agents.realtime import RealtimeSessionModelSettings

from agents import FunctionTool

PCM = {"type": "audio/pcm", "rate": 24000}  # the only rate of PCM that GA Realtime knows

# The SDK takes turn detection in camelCase too.
_SNAKE = {
    "prefixPaddingMs": "prefix_padding_ms",
    "silenceDurationMs": "silence_duration_ms",
    "idleTimeoutMs": "idle_timeout_ms",
    "createResponse": "create_response",
    "interruptResponse": "interrupt_response",
    "modelVersion": "model_version",
}
_TOOL_CHOICES = ("auto", "none", "required")


def wire_session(settings: RealtimeSessionModelSettings, *, first: bool) -> dict[str, Any]:
    """Return the `session` that puts `settings` in force.

    `first` is True for a connection's first session.update: tracing cannot be changed once it is on, so it is
    sent only there. Raises UserError when a tool is not a FunctionTool (Realtime sessions take no others).
    """
    session: dict[str, Any] = {
        "type": "realtime",
        "output_modalities": list(
            settings.get("output_modalities") or settings.get("modalities") or ["audio"]
        ),
        "audio": {"input": _audio_input(settings), "output": _audio_output(settings)},
        "tools": _tools(settings),
    }
    if settings.get("instructions") is not None:
        session["instructions"] = settings["instructions"]
    if settings.get("tool_choice") is not None:
        session["tool_choice"] = _tool_choice(settings["tool_choice"])
    for key in ("max_output_tokens", "parallel_tool_calls"):
        if settings.get(key) is not None:
            session[key] = settings[key]
    for key in ("prompt", "reasoning"):
        if settings.get(key):
            session[key] = dict(settings[key])  # type: ignore[literal-required]
    tracing: Any = settings.get("tracing")
    if first and tracing:
        session["tracing"] = dict(tracing) if isinstance(tracing, Mapping) else tracing
    return session


def _audio_input(settings: RealtimeSessionModelSettings) -> dict[str, Any]:
    given: Mapping[str, Any] = (settings.get("audio") or {}).get("input") or {}
    # Server VAD is the API's own default; spelled out so that the arbiter finds something to complete.
    detection = given.get("turn_detection", settings.get("turn_detection", {"type": "server_vad"}))
    result: dict[str, Any] = {
        "format": dict(PCM),
        "transcription": given.get(
            "transcription", settings.get("input_audio_transcription", {"model": "gpt-4o-mini-transcribe"})
        ),
        "turn_detection": None if detection is None else _detection(detection),
    }
    if "noise_reduction" in given:
        result["noise_reduction"] = given["noise_reduction"]
    elif "input_audio_noise_reduction" in settings:
        result["noise_reduction"] = settings["input_audio_noise_reduction"]
    return result


def _detection(given: Mapping[str, Any]) -> dict[str, Any]:
    return {_SNAKE.get(key, key): value for key, value in given.items()}


def _audio_output(settings: RealtimeSessionModelSettings) -> dict[str, Any]:
    given: Mapping[str, Any] = (settings.get("audio") or {}).get("output") or {}
    result: dict[str, Any] = {"format": dict(PCM)}
    voice: Any = given.get("voice") or settings.get("voice")
    if voice is not None:
        result["voice"] = dict(voice) if isinstance(voice, Mapping) else voice
    speed = given.get("speed", settings.get("speed"))
    if speed is not None:
        result["speed"] = speed
    return result


def _tools(settings: RealtimeSessionModelSettings) -> list[dict[str, Any]]:
    tools: list[dict[str, Any]] = []
    for tool in settings.get("tools") or []:
        if not isinstance(tool, FunctionTool):
            raise UserError(
                f"Tool {getattr(tool, 'name', tool)!r} is a {type(tool).__name__}; a realtime agent takes "
                "function tools only. Wrap it in a function_tool."
            )
        tools.append(_function(tool.name, tool.description, tool.params_json_schema))
    for handoff in settings.get("handoffs") or []:
        tools.append(_function(handoff.tool_name, handoff.tool_description, handoff.input_json_schema))
    return tools


def _function(name: str, description: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "name": name, "description": description.strip(), "parameters": parameters}


def _tool_choice(choice: Any) -> Any:
    if isinstance(choice, str) and choice not in _TOOL_CHOICES:
        return {"type": "function", "name": choice}  # the SDK names a tool by its bare name
    return choice
