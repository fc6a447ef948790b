"""Uplink: the caller's audio on its way upstream, and the count of it that latencies are measured by.

Audio does not queue here, with two exceptions: until the upstream's session is in force it is kept, so that a caller
who speaks at once is heard from the first word; and what is part of a turn that is pushed to talk waits until the
clear before it has gone (push_to_talk.py).
"""

from __future__ import annotations

from collections import deque

from rtbridge.core import pcm

BACKLOG_SAMPLES = pcm.samples_of_ms(10_000)


class Uplink:
    """One call's road from the caller's leg to the upstream."""

    def __init__(self) -> None:
        self.sent_samples = 0  # since the session came into force
        self._kept: deque[bytes] = deque()
        self._kept_samples = 0

    def keep(self, chunk: bytes) -> int:
        """Keep `chunk` for later; return how many samples of the oldest had to go for it (0 nearly always)."""
        if chunk:
            self._kept.append(chunk)
        self._kept_samples += pcm.samples_of(chunk)
        lost = 0
        while self._kept_samples - lost > BACKLOG_SAMPLES:
            lost += pcm.samples_of(self._kept.popleft())
        self._kept_samples -= lost
        return lost

    def send(self, chunk: bytes) -> list[bytes]:
        """Return what to append upstream now, in order: what was kept, then `chunk`."""
        self._kept.append(chunk)
        return self.take()

    def take(self) -> list[bytes]:
        """Return what was kept, to be appended upstream now, in order."""
        chunks = list(self._kept)
        self.forget()
        self.sent_samples += sum(pcm.samples_of(one) for one in chunks)
        return chunks

    def forget(self) -> None:
        """Drop what was kept."""
        self._kept.clear()
        self._kept_samples = 0
