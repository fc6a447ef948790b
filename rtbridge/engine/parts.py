"""What the engine is made of: ears' gate, ears, voice, wits and text models, one small Protocol each.

The protocol side (conversation, driver, server) knows parts only through this file, and the parts know
nothing of events, sockets or calls. Everything is deterministic: the same input gives the same output, byte
for byte, because replays rest on it. Audio is 24 kHz mono s16le everywhere.

`Vad` runs on the event loop (0.2 ms for 32 ms of audio). `Ears`, `Voice`, `Wits` and `TextModel` block and
are only ever called in executor threads, from several connections at the same time: they lock what they
share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

PAUSE_MS: Final = 200


@dataclass(frozen=True, slots=True)
class VadConfig:
    """What a client may set of `server_vad` (Realtime session, `audio.input.turn_detection`)."""

    threshold: float = 0.5  # 0..1, speech probability from which a window counts as speech
    prefix_padding_ms: int = 300
    silence_ms: int = 500


@dataclass(frozen=True, slots=True)
class VadEdge:
    """Speech began, paused or ended.

    `at_sample` counts samples heard since the Vad was created. For "started" it is where speech began LESS
    `prefix_padding_ms` (never below 0, never before the edge that came before); for "stopped" it is where the
    silence of `silence_ms` was complete, so it includes that silence. These are what the Realtime API
    reports as `audio_start_ms` and `audio_end_ms`. "paused" is where a silence that may become the end was
    `PAUSE_MS` old; speech may go on after it, and pause again.
    """

    kind: Literal["started", "paused", "stopped"]
    at_sample: int


class Vad(Protocol):
    """Finds speech in one stream of audio. Made by `EngineParts.vad(config)`; one a connection."""

    def feed(self, pcm: bytes) -> list[VadEdge]:
        """Hear `pcm` (24 kHz mono s16le, whole samples, any length) and return the edges found, in order.

        "started" and "stopped" alternate, beginning with "started"; "paused" comes between the two, any
        number of times, and just once in the silence that ends speech, if that is to be longer than
        `PAUSE_MS`: a Vad that cannot tell pauses leaves it out. The edges do not depend on how the audio was
        cut into chunks. `at_sample` never exceeds the samples fed so far.
        """
        ...

    def reset(self) -> None:
        """Forget speech in progress; the sample count goes on, and the next edge is "started"."""
        ...


class Ears(Protocol):
    """Speech to text."""

    def transcribe(self, pcm: bytes) -> str:
        """Return what is said in `pcm` (24 kHz mono s16le, any length); "" for no words. Blocking."""
        ...


@dataclass(frozen=True, slots=True)
class Spoken:
    """One sentence, spoken.

    `words` are (text piece, the sample of `pcm` at which the piece begins to sound), by rising sample, the
    first at any sample. The pieces of all sentences, joined, are exactly the text that was to be spoken,
    spaces and punctuation included.
    """

    pcm: bytes  # 24 kHz mono s16le
    words: tuple[tuple[str, int], ...]


class Voice(Protocol):
    """Text to speech."""

    def speak(self, text: str, *, voice: str, speed: float) -> Iterator[Spoken]:
        """Yield `text` as audio, a sentence at a time, each as soon as it is made. Blocking between yields.

        `voice` is a voice name of the Realtime API ("marin", "ash", ...); unknown names get a default voice.
        `speed` is 0.25 to 1.5. Text without any words may give a Spoken with empty `pcm`. The iterator may
        be dropped before its end, and is then closed (`close()`) if it has such a method.
        """
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """All that may decide an answer.

    `items` are the conversation items in order, in wire shape: `message` items with `input_text`,
    `input_audio` (its `transcript` filled in by the engine's ears; no `audio`), `output_text` and
    `output_audio` (`transcript` cut to what was heard) parts, `function_call` and `function_call_output`
    items.
    """

    instructions: str
    tools: Sequence[Mapping[str, Any]]  # {"type": "function", "name", "description", "parameters"}
    items: Sequence[Mapping[str, Any]]
    prompt_id: str | None  # `session.prompt.id`: "<scenario>/<agent>" from our own bridge
    tool_choice: str | Mapping[str, Any]  # "auto" | "none" | "required" | {"type": "function", "name"}
    response_instructions: str | None  # instructions of this `response.create` alone
    voice: str


@dataclass(frozen=True, slots=True)
class Say:
    """Say this, as one assistant message."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """Call this tool."""

    name: str
    arguments_json: str  # a JSON object


Act = Say | Call


class Wits(Protocol):
    """What decides what to say and which tools to call."""

    def answer(self, turn: Turn) -> Iterable[Act]:
        """Return or yield the acts of one response, in order; none is a legal answer. Blocking.

        Raises RtbridgeError when it cannot think (a text endpoint is down): the response then fails with
        that message.
        """
        ...


@dataclass(frozen=True, slots=True)
class TextReply:
    """What a text model answered: text, or tool calls, or both."""

    text: str = ""
    calls: tuple[Call, ...] = ()


class TextModel(Protocol):
    """Behind `/v1/responses` and `/v1/chat/completions`."""

    def respond(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        model: str,
        response_format: Mapping[str, Any] | None,
    ) -> TextReply:
        """Answer a chat. Blocking.

        `messages` are in the shape of chat completions: {"role": "system" | "user" | "assistant" | "tool",
        "content": str}, assistant messages perhaps with "tool_calls", tool messages with "tool_call_id".
        `tools` are flat: {"type": "function", "name", "description", "parameters"}. `response_format` is
        None for plain text, {"type": "json_object"}, or {"type": "json_schema", "name", "schema"}; the text
        must then be such JSON.
        """
        ...


Study = Callable[[str | None, Sequence[Mapping[str, Any]]], None]


def study_nothing(prompt_id: str | None, tools: Sequence[Mapping[str, Any]]) -> None:
    """Prepare for no session: these wits are as quick in the first turn as later."""


@dataclass(frozen=True, slots=True)
class EngineParts:
    """One engine: loaded once, shared by all its connections."""

    vad: Callable[[VadConfig], Vad]
    ears: Ears
    voice: Voice
    wits: Wits
    text: TextModel
    study: Study = study_nothing
    """Prepare for a session of this prompt and these tools, so that its first turn is not slow. Blocking."""
