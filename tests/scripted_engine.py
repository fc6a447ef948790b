"""Cheap, deterministic parts for an engine, and a strict reader of what it emits.

The caller's speech is a buzz of 150 Hz, all of one level: `speech("hello")` sounds at the level that the ears know as
"hello", and everything below QUIET is silence to the gate. The voice makes 240 ms of tone a word.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

import numpy as np
from openai.types.realtime import RealtimeServerEvent
from openai.types.realtime.realtime_session_create_response import RealtimeSessionCreateResponse
from pydantic import BaseModel, TypeAdapter

from rtbridge.engine.parts import (
    PAUSE_MS,
    Act,
    Call,
    EngineParts,
    Say,
    Spoken,
    TextReply,
    Turn,
    VadConfig,
    VadEdge,
)

RATE = 24_000
QUIET = 500
HALF_PERIOD = 80  # samples: a voice of 150 Hz, like itself from period to period
PAUSE = PAUSE_MS * RATE // 1000
WORD_SAMPLES = 5_760  # 240 ms
PHRASES = {1_000: "hello there", 2_000: "weather in Paris", 3_000: "yes please", 4_000: "billing please"}


def speech(text: str, ms: int = 600) -> bytes:
    level = next(value for value, phrase in PHRASES.items() if phrase == text)
    samples = np.full(RATE * ms // 1000, level, "<i2")
    samples[np.arange(len(samples)) // HALF_PERIOD % 2 == 1] *= -1
    return samples.tobytes()


def silence(ms: int) -> bytes:
    return bytes(RATE * ms // 1000 * 2)


class LevelVad:
    """Speech is what is loud, sample by sample."""

    def __init__(self, config: VadConfig) -> None:
        self._padding = config.prefix_padding_ms * RATE // 1000
        self._silence = config.silence_ms * RATE // 1000
        self._heard = 0
        self._quiet = 0
        self._edge = 0
        self._speaking = False

    def feed(self, pcm: bytes) -> list[VadEdge]:
        edges: list[VadEdge] = []
        loud = np.abs(np.frombuffer(pcm, "<i2").astype(np.int32)) > QUIET
        cuts = [0, *(np.flatnonzero(np.diff(loud)) + 1).tolist(), len(loud)]
        for start, end in itertools.pairwise(cuts):
            if end > start:
                edges += self._run(bool(loud[start]), end - start)
        return edges

    def _run(self, loud: bool, samples: int) -> Iterator[VadEdge]:
        """Hear a run of samples that are all loud or all quiet."""
        if loud and not self._speaking:
            self._speaking = True
            self._edge = max(self._edge, self._heard - self._padding)
            yield VadEdge("started", self._edge)
        if (
            self._speaking
            and not loud
            and self._quiet < PAUSE <= self._quiet + samples
            and self._silence > PAUSE
        ):
            yield VadEdge("paused", self._heard + PAUSE - self._quiet)
        if self._speaking and not loud and self._quiet + samples >= self._silence:
            self._speaking = False
            self._edge = self._heard + self._silence - self._quiet
            yield VadEdge("stopped", self._edge)
        self._quiet = 0 if loud else self._quiet + samples
        self._heard += samples

    def reset(self) -> None:
        self._speaking = False
        self._quiet = 0


class LevelEars:
    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def transcribe(self, pcm: bytes) -> str:
        self.heard.append(pcm)
        peak = int(np.abs(np.frombuffer(pcm, "<i2").astype(np.int32)).max()) if pcm else 0
        return PHRASES.get(peak, "")


class ToneVoice:
    def speak(self, text: str, *, voice: str, speed: float) -> Iterator[Spoken]:
        for sentence in text.replace(". ", ".\n").splitlines():
            words = [word + " " for word in sentence.split()]
            yield Spoken(
                np.full(WORD_SAMPLES * len(words), 7_000, "<i2").tobytes(),
                tuple((word, index * WORD_SAMPLES) for index, word in enumerate(words)),
            )


def last_text(turn: Turn) -> str:
    """What the last item of a turn says."""
    item = turn.items[-1] if turn.items else {}
    if item.get("type") == "function_call_output":
        return f"result {item['output']}"
    parts = item.get("content", [])
    return " ".join(str(part.get("text") or part.get("transcript") or "") for part in parts)


class ScriptedWits:
    def __init__(self, answer: Callable[[Turn], Iterable[Act]] | None = None) -> None:
        self.turns: list[Turn] = []
        self._answer = answer or (lambda turn: [Say(f"You said {last_text(turn)}.")])

    def answer(self, turn: Turn) -> Iterable[Act]:
        self.turns.append(turn)
        return self._answer(turn)


class EchoText:
    def respond(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        model: str,
        response_format: Mapping[str, Any] | None,
    ) -> TextReply:
        last = messages[-1]
        if tools and last["role"] == "user":
            return TextReply(calls=(Call(tools[0]["name"], '{"city":"Paris"}'),))
        return TextReply(f"{model} heard {last['content']}")


def scripted(answer: Callable[[Turn], Iterable[Act]] | None = None, **parts: Any) -> EngineParts:
    given = {
        "vad": LevelVad,
        "ears": LevelEars(),
        "voice": ToneVoice(),
        "wits": ScriptedWits(answer),
        "text": EchoText(),
    }
    return EngineParts(**{**given, **parts})


def numbered_ids() -> Callable[[str], str]:
    counts: dict[str, itertools.count[int]] = {}
    return lambda prefix: f"{prefix}_{next(counts.setdefault(prefix, itertools.count(1)))}"


def _models() -> dict[str, type[BaseModel]]:
    union = get_args(RealtimeServerEvent)[0]
    found: dict[str, type[BaseModel]] = {}
    for model in get_args(union):
        found[get_args(model.model_fields["type"].annotation)[0]] = model
    return found


_MODELS = _models()


@functools.cache
def _adapter(model: type[BaseModel]) -> TypeAdapter[BaseModel]:
    return TypeAdapter(model)


def check_strictly(event: Mapping[str, Any]) -> None:
    """Fail unless `event` is exactly one of the API's server events: right types, no field too few or too many."""
    model = _MODELS[event["type"]]
    _adapter(model).validate_python(event, strict=True)
    known = {field.alias or name for name, field in model.model_fields.items()}
    assert set(event) <= known, f"{event['type']} has unknown fields {set(event) - known}"
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert required <= set(event), f"{event['type']} lacks {required - set(event)}"
    if event["type"].startswith("session."):
        _adapter(RealtimeSessionCreateResponse).validate_python(event["session"], strict=True)
