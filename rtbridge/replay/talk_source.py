"""Where the words of `rtbridge talk` come from: a file that is there whole, or a microphone's PCM as it comes."""

from __future__ import annotations

import os
import threading
from typing import Final, Protocol

from av import AudioFrame, AudioResampler

from rtbridge.core import pcm

CHUNK: Final = 4_096  # bytes asked for at once
MAX_BACKLOG: Final = 2 * pcm.RATE * pcm.SAMPLE_BYTES  # what is read ahead; more waits in the pipe


class Source(Protocol):
    """Gives a caller's audio, 20 ms a time."""

    def frame(self) -> bytes | None:
        """Return the next 20 ms, silence where none has come yet; None when it is over. Never blocks."""
        ...

    @property
    def is_empty(self) -> bool:
        """Say whether it is over and nothing ever came."""
        ...


class FileSource:
    """24 kHz mono s16le that is there."""

    def __init__(self, audio: bytes) -> None:
        self._audio = audio
        self._at = 0

    @property
    def is_empty(self) -> bool:
        """Return False: a file without sound is refused when it is read."""
        return False

    def frame(self) -> bytes | None:
        """Return the next 20 ms; the last are filled up with silence."""
        if self._at >= len(self._audio):
            return None
        found = self._audio[self._at : self._at + pcm.FRAME_BYTES]
        self._at += pcm.FRAME_BYTES
        return found.ljust(pcm.FRAME_BYTES, b"\0")


class MicrophoneSource:
    """Raw 16-bit mono PCM of any rate from a file descriptor, read by a thread of its own."""

    def __init__(self, descriptor: int, rate: int) -> None:
        self._descriptor = descriptor
        self._rate = rate
        self._audio = bytearray()
        self._came = False
        self._over = False
        self._changed = threading.Condition()
        # A daemon, reading by os.read: it may wait for a microphone for ever and must hold up no end.
        threading.Thread(target=self._read, name="microphone", daemon=True).start()

    @property
    def is_empty(self) -> bool:
        """Say whether the pipe was closed before anything came."""
        with self._changed:
            return self._over and not self._came

    def frame(self) -> bytes | None:
        """Return the next 20 ms. A frame that is not whole yet waits for its rest, and silence goes first."""
        with self._changed:
            if len(self._audio) < pcm.FRAME_BYTES and not (self._over and self._audio):
                return None if self._over else bytes(pcm.FRAME_BYTES)
            found = bytes(self._audio[: pcm.FRAME_BYTES])
            del self._audio[: pcm.FRAME_BYTES]
            self._changed.notify()
            return found.ljust(pcm.FRAME_BYTES, b"\0")

    def _read(self) -> None:
        resampler = AudioResampler(format="s16", layout="mono", rate=pcm.RATE)
        odd = b""
        while True:
            try:
                chunk = os.read(self._descriptor, CHUNK)
            except OSError:
                chunk = b""
            if not chunk:
                break
            whole = len(odd + chunk) // pcm.SAMPLE_BYTES * pcm.SAMPLE_BYTES
            data, odd = (odd + chunk)[:whole], (odd + chunk)[whole:]
            if data:
                self._take(data if self._rate == pcm.RATE else self._resampled(resampler, data))
        if self._came and self._rate != pcm.RATE:
            self._take(b"".join(_samples(part) for part in resampler.resample(None)))
        with self._changed:
            self._over = True

    def _resampled(self, resampler: AudioResampler, data: bytes) -> bytes:
        frame = AudioFrame(format="s16", layout="mono", samples=pcm.samples_of(data))
        frame.planes[0].update(data)
        frame.sample_rate = self._rate
        return b"".join(_samples(part) for part in resampler.resample(frame))

    def _take(self, audio: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._audio) < MAX_BACKLOG)
            self._audio += audio
            self._came = True


def _samples(frame: AudioFrame) -> bytes:
    return bytes(frame.planes[0])[: frame.samples * pcm.SAMPLE_BYTES]
