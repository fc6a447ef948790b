"""What comes out of a conversation: server events for the client, jobs for whoever may block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rtbridge.engine.parts import Turn


@dataclass(frozen=True, slots=True)
class Transcribe:
    """A job: what is said in this audio? Answered by `transcribed` or `transcription_failed`.

    An `early` one is of speech that goes on, and answered by `heard_early` or by nothing.
    """

    item_id: str
    pcm: bytes  # 24 kHz mono s16le
    early: bool = False


@dataclass(frozen=True, slots=True)
class Listen:
    """A job: begin to hear this audio, for it may be asked about in a moment. Answered by nothing."""

    pcm: bytes  # 24 kHz mono s16le


@dataclass(frozen=True, slots=True)
class Study:
    """A job: get to know the tools of a session before somebody asks for one. Answered by nothing."""

    prompt_id: str | None  # as in `session.prompt.id`
    tools: Sequence[Mapping[str, Any]]  # as declared in the session


@dataclass(frozen=True, slots=True)
class Respond:
    """A job: make this response. Answered by `begin_message` ... `finished` or `failed`, while it is active."""

    response_id: str
    turn: Turn
    modality: str  # "audio" | "text"
    speed: float


Job = Transcribe | Listen | Study | Respond


class Outbox:
    """Events and jobs, in order, until somebody drains them."""

    def __init__(self, new_id: Callable[[str], str]) -> None:
        """Take the maker of ids: `new_id("item")` returns something like "item_1"."""
        self.new_id = new_id
        self._events: list[dict[str, Any]] = []
        self._jobs: list[Job] = []

    def emit(self, type_: str, /, **fields: Any) -> None:
        """Send one server event; its event id is added."""
        self._events.append({"type": type_, "event_id": self.new_id("event"), **fields})

    def ask(self, job: Job) -> None:
        """Have `job` done."""
        self._jobs.append(job)

    def drain(self) -> tuple[list[dict[str, Any]], list[Job]]:
        """Return the events and jobs since the last drain."""
        drained = self._events, self._jobs
        self._events, self._jobs = [], []
        return drained
