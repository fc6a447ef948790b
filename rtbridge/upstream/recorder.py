"""An upstream that is written down as it talks: frames to a sink, the caller's audio as a count of samples.

It changes nothing and waits for nothing: the sink is called in place and must only take.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from rtbridge.core import pcm
from rtbridge.upstream.frames import APPEND, Row, head
from rtbridge.upstream.port import Capabilities, Upstream, WireEvent

Sink = Callable[[Row], None]


class RecordedUpstream:
    """Passes everything on to `inner` and gives each frame to `sink`, in the order in which the bridge saw it."""

    def __init__(self, inner: Upstream, sink: Sink) -> None:
        self._inner = inner
        self._sink = sink
        self._began_s = 0.0
        self._time: Callable[[], float] = lambda: 0.0
        self._samples = 0  # appended since the last row
        self._audio_s = 0.0  # when the last of them were

    @property
    def capabilities(self) -> Capabilities:
        """Return those of the inner upstream."""
        return self._inner.capabilities

    @property
    def url(self) -> str:
        """Return that of the inner upstream."""
        return self._inner.url

    async def connect(self) -> None:
        """Open the inner upstream; time counts from here. Raises what that raises."""
        await self._inner.connect()
        self._time = asyncio.get_running_loop().time
        self._began_s = self._time()
        self._sink(head(self.capabilities, url=self.url))

    def send(self, event: Mapping[str, Any]) -> None:
        """Pass on one client event. Raises Closed after close()."""
        self._inner.send(event)
        self._write("out", event)

    def send_audio(self, chunk: bytes) -> int:
        """Pass on the caller's audio; what is pushed out of a backlog counts as sent all the same."""
        lost_ms = self._inner.send_audio(chunk)
        self._samples += pcm.samples_of(chunk)
        self._audio_s = self._now()
        return lost_ms

    async def events(self) -> AsyncIterator[WireEvent]:
        """Pass on server events. Raises UpstreamLost as the inner upstream does."""
        async for event in self._inner.events():
            self._write("in", event)
            yield event

    async def close(self) -> None:
        """Close the inner upstream."""
        await self._inner.close()

    def _write(self, direction: str, event: Mapping[str, Any]) -> None:
        if self._samples:
            self._sink(Row(self._audio_s, "out", {"type": APPEND, "samples": self._samples}))
            self._samples = 0
        self._sink(Row(self._now(), direction, event))

    def _now(self) -> float:
        return self._time() - self._began_s
