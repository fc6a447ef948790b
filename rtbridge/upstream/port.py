"""What an upstream is: something that takes and gives Realtime API events as wire dicts.

OpenAI, the embedded engine, any compatible URL and a recorded cassette are all one of these. Nothing here knows
agents, calls or audio playback.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

WireEvent = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an upstream can do beyond the GA Realtime API."""

    is_engine: bool = False  # takes `session.prompt.id` = "<scenario>/<agent>" for its offline lines
    word_times: bool = False  # transcript deltas come at word times, in step with the audio deltas


class Upstream(Protocol):
    """One connection to a Realtime API. Used once: connect, talk, close."""

    @property
    def capabilities(self) -> Capabilities:
        """Return what this upstream can do; constant."""
        ...

    @property
    def url(self) -> str:
        """Return where it goes, without secrets, for log lines."""
        ...

    async def connect(self) -> None:
        """Open it. Raises UpstreamRefused (401, 403, 404) or UpstreamLost (everything else)."""
        ...

    def send(self, event: Mapping[str, Any]) -> None:
        """Queue one client event, in order; never blocks. Raises Closed after close()."""
        ...

    def send_audio(self, pcm: bytes) -> int:
        """Queue `input_audio_buffer.append` of 24 kHz mono s16le; never blocks.

        Audio beyond 2 s of backlog pushes out the oldest audio, never another event. Returns the
        milliseconds that were pushed out by this call (0 nearly always).
        """
        ...

    def events(self) -> AsyncIterator[WireEvent]:
        """Yield server events. Frames that are not JSON objects are skipped and counted.

        Raises UpstreamLost when the connection ends and nobody called close().
        """
        ...

    async def close(self) -> None:
        """Close it; idempotent; returns within 2 s."""
        ...
