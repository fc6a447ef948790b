"""An upstream that is written down as it talks: frames to a sink, the caller's audio as a count of samples.

What the agents ask text models meanwhile stands between the frames (text_cassette.py). It changes nothing and waits
for nothing: the sink is called in place and must only take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from rtbridge.core import pcm
from rtbridge.upstream.frames import APPEND, Row, head
from rtbridge.upstream.passing import PassingUpstream
from rtbridge.upstream.port import Upstream, WireEvent
from rtbridge.upstream.text import TextModels
from rtbridge.upstream.text_recorder import RecordedTextModel, Requests

Sink = Callable[[Row], None]


class RecordedUpstream(PassingUpstream):
    """Passes everything on to `inner` and gives each frame to `sink`, in the order in which the bridge saw it."""

    def __init__(self, inner: Upstream, sink: Sink) -> None:
        super().__init__(inner)
        self._sink = sink
        self._began_s = 0.0
        self._time: Callable[[], float] = lambda: 0.0
        self._samples = 0  # appended since the last row
        self._audio_s = 0.0  # when the last of them were
        self._texts = Requests(self._write)
        self._has_texts = False

    def text_models(self, find: TextModels | None) -> TextModels | None:
        """Return the text models that `find` finds, written down as they are asked; None where there are none.

        Called before connect().
        """
        if find is None:
            return None
        found, self._has_texts = find, True
        return lambda name: RecordedTextModel(found(name), name, self._texts)

    async def connect(self) -> None:
        """Open the inner upstream; time counts from here. Raises what that raises."""
        await super().connect()
        self._time = asyncio.get_running_loop().time
        self._began_s = self._time()
        self._sink(head(self.capabilities, texts=self._has_texts, url=self.url))

    def send(self, event: Mapping[str, Any]) -> None:
        """Pass on one client event. Raises Closed after close()."""
        super().send(event)
        self._write("out", event)

    def send_audio(self, chunk: bytes) -> int:
        """Pass on the caller's audio; what is pushed out of a backlog counts as sent all the same."""
        lost_ms = super().send_audio(chunk)
        self._samples += pcm.samples_of(chunk)
        self._audio_s = self._now()
        return lost_ms

    def came(self, event: WireEvent) -> None:
        """Write a server event down; what has no type is none, and stands in no cassette."""
        if isinstance(event.get("type"), str):
            self._write("in", event)

    def _write(self, direction: str, event: Mapping[str, Any]) -> None:
        if self._samples:
            self._sink(Row(self._audio_s, "out", {"type": APPEND, "samples": self._samples}))
            self._samples = 0
        self._sink(Row(self._now(), direction, event))

    def _now(self) -> float:
        return self._time() - self._began_s
