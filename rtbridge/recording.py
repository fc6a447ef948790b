"""Recording of calls, for those who ask for it (`record_dir`): a folder a call.

    caller.wav  heard.wav    24 kHz mono: what the caller said as it was decoded, and what was played to the caller
    cassette.jsonl           what went to the upstream and came from it (upstream/frames.py)
    events.jsonl             the journal            messages.jsonl   what the caller sent over the data channel
    session.json             scenario, agent, and whether anything is missing; written last

The road of 20 ms only puts into a bounded queue; a thread of the call's own writes. When it cannot keep up, the disk is
full, or anything else goes wrong here, the recording is cut and says so, and the call goes on. Until a call is over
only sound lies on the disk; words are held back until they can be masked from the first on (upstream/scrubbing.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import threading
import wave
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import structlog

from rtbridge.core import pcm
from rtbridge.core.journal import ControlsChanged, Entry, ItemHeard
from rtbridge.core.leg import CallerLeg, Hear, LegEvent, LegKey, LegMessage, LegUp, Pull
from rtbridge.settings import Settings
from rtbridge.upstream.frames import APPEND, Row
from rtbridge.upstream.port import Upstream
from rtbridge.upstream.recorder import RecordedUpstream
from rtbridge.upstream.scrub import Scrubber
from rtbridge.upstream.scrub_keys import DTMF, mask_keys
from rtbridge.upstream.scrubbing import AUDIO, Silenced, scrub_lines, secrets_of
from rtbridge.upstream.text import TextModels

MAX_WAITING: Final = 4_000  # of 20 ms and frames: half a minute in which the disk does not answer
MAX_WORDS_BYTES: Final = 64 * 1024 * 1024  # of one call that are held back
AROUND_MS: Final = 400  # silenced before and after a value that was said aloud: turns are found a little late
SESSION: Final = "session.json"
TRACKS: Final = ("caller", "heard")
_FINISHING: Final = threading.Lock()  # one at a time: masking holds a whole call in memory
_log = structlog.get_logger("rtbridge.recording")


class Recording:
    """One call being written down. `finish()` ends it; until then nothing of it blocks or raises."""

    def __init__(self, folder: Path, settings: Settings, about: Mapping[str, Any]) -> None:
        """`folder` is made. `about` goes into session.json."""
        self._folder = folder
        self._about = dict(about)
        self._scrubber = Scrubber(secrets_of(settings))
        self._queue: queue.Queue[tuple[str, Any] | None] = queue.Queue(MAX_WAITING)
        self._frames: list[str | tuple[int, int]] = []  # a line, or where it lies in frames.part
        self._events: list[dict[str, Any]] = []
        self._messages: list[dict[str, Any]] = []
        self._spans: dict[str, tuple[int, int]] = {}  # item -> ms of the call in which it was heard
        self._time = asyncio.get_running_loop().time
        self._opened_s = self._time()
        self._heard_from_ms: int | None = None  # where heard.wav begins
        self._words_bytes = 0
        self._caller_samples = 0
        self._appended: list[tuple[int, int]] = []  # samples that went upstream by now, and that came by then
        self._deaf = False  # the caller is muted or on hold
        self._files: dict[str, BinaryIO] = {}
        self.announce: Callable[[], None] = lambda: (
            None
        )  # called when the caller is there, before anything is said
        self.cut: str | None = None  # why something is missing
        self._thread = threading.Thread(target=self._write, name=f"record {folder.name}", daemon=True)
        self._thread.start()

    # -- on the loop ----------------------------------------------------------------------------------------
    def leg(self, leg: CallerLeg) -> CallerLeg:
        """Return `leg`, written down as it is used."""
        return _RecordedLeg(leg, self)

    def upstream(
        self, upstream: Upstream, text_models: TextModels | None
    ) -> tuple[Upstream, TextModels | None]:
        """Return `upstream` and the text models beside it, written down as they are used."""
        recorded = RecordedUpstream(upstream, self._frame)
        return recorded, recorded.text_models(text_models)

    def said(self, chunk: bytes) -> None:
        """Take what the caller said next."""
        self._caller_samples += pcm.samples_of(chunk)
        self._put("caller", bytes(len(chunk)) if self._deaf else chunk)

    def heard(self, chunk: bytes) -> None:
        """Take what the caller is played next."""
        if self._heard_from_ms is None:
            self._heard_from_ms = round((self._time() - self._opened_s) * 1000)
        self._put("heard", chunk)

    def sent(self, text: str) -> None:
        """Take what the caller sent over the data channel, in the caller's own time."""
        self._put("message", (self._caller_samples, text))

    def entry(self, at_ms: int, entry: Entry) -> None:
        """Take an entry of the journal."""
        if isinstance(entry, ControlsChanged):
            self._deaf = entry.muted or entry.held
        self._put("entry", (at_ms, entry))

    def _frame(self, row: Row) -> None:
        if row.event.get("type") == APPEND:
            before = self._appended[-1][0] if self._appended else 0
            sent, came = before + row.event["samples"], self._caller_samples
            if self._appended and self._appended[-1][1] - before == came - sent:
                self._appended.pop()  # all of it went as what came before went: one row for both
            self._appended.append((sent, came))
        try:
            self._put("frame", (row.event.get("type") == AUDIO, row.line()))
        except Exception as error:  # noqa: BLE001 - the border to the call: what cannot be written must not end it
            self._cut(f"a frame cannot be written: {type(error).__name__}")

    def _put(self, kind: str, what: Any) -> None:
        if self.cut is None:
            try:
                self._queue.put_nowait((kind, what))
            except queue.Full:
                self._cut("the disk does not keep up")

    def _cut(self, why: str) -> None:
        if self.cut is None:
            self.cut = why
            _log.warning("recording.cut", folder=self._folder.name, reason=why)

    # -- in the thread of the call --------------------------------------------------------------------------
    def _write(self) -> None:
        try:
            self._folder.mkdir(parents=True, mode=0o700)
            for name in (*TRACKS, "frames"):
                self._files[name] = (self._folder / f"{name}.part").open("w+b")
        except OSError as error:
            self._cut(_why(error))
        while (waiting := self._queue.get()) is not None:
            if self._files and self.cut is None:
                try:
                    self._take(*waiting)
                except Exception as error:  # noqa: BLE001 - the thread's border: it goes on taking, so that nobody waits
                    self._cut(_why(error))

    def _take(self, kind: str, what: Any) -> None:
        if kind in TRACKS:
            self._files[kind].write(what)
        elif kind == "message":
            samples, text = what
            self._hold(text)
            self._messages.append({"t": round(samples / pcm.RATE, 4), "text": text})
        elif kind == "entry":
            at_ms, entry = what
            self._journaled(at_ms, entry)
        else:
            is_audio, line = what
            if is_audio:
                file = self._files["frames"]
                self._frames.append((file.tell(), len(line)))
                file.write(line.encode("ascii"))
                return
            self._hold(line)
            self._scrubber.learn(json.loads(line)["event"])
            self._frames.append(line)

    def _journaled(self, at_ms: int, entry: Entry) -> None:
        fields = entry.as_dict()
        line = {"at_ms": at_ms, "event": entry.event, **fields}
        self._hold(json.dumps(line))
        self._scrubber.learn(line)
        self._events.append(line)
        if isinstance(entry, ItemHeard):
            self._spans[entry.item_id] = (at_ms - entry.heard_ms, at_ms)

    def _hold(self, words: str) -> None:
        self._words_bytes += len(words)
        if self._words_bytes > MAX_WORDS_BYTES:
            self._cut(f"more than {MAX_WORDS_BYTES >> 20} MB of words")

    # -- the end --------------------------------------------------------------------------------------------
    def finish(self) -> None:
        """Write what is left to write, masked, and take away what is not to be kept. Blocking; never raises."""
        self._queue.put(None)
        self._thread.join()
        with _FINISHING:
            try:
                if self._files:
                    self._finish()
            except Exception as error:  # noqa: BLE001 - the border to the bridge: its other calls go on
                self._cut(_why(error))
                self._say_cut()
            finally:
                self._clear()

    def _finish(self) -> None:
        lines, silenced = scrub_lines((self._line(at) for at in self._frames), self._scrubber)
        self._text("cassette.jsonl", lines)
        mask = self._scrubber.deeply
        mask_keys(self._events, self._messages, self._scrubber)
        self._text("events.jsonl", [json.dumps(mask(event)) for event in self._events])
        self._text("messages.jsonl", [json.dumps(mask(message)) for message in self._messages])
        self._track("caller", [self._came_ms(start, end) for start, end in silenced.caller_ms])
        self._track("heard", self._silenced_heard(silenced))
        self._say_what_it_is()

    def _say_what_it_is(self) -> None:
        about = self._scrubber.deeply(self._about) | {"version": 1, "cut": self.cut}
        (self._folder / SESSION).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")

    def _say_cut(self) -> None:
        """Mark what is there as cut: a few bytes, for which a full disk may have room when the parts are gone."""
        self._clear()
        with contextlib.suppress(OSError, ValueError, TypeError):
            self._say_what_it_is()

    def _silenced_heard(self, silenced: Silenced) -> list[tuple[int, int]]:
        spans = (self._spans.get(item) for item in silenced.items)
        since = self._heard_from_ms or 0
        return [(start - since, end - since) for start, end in filter(None, spans)]

    def _came_ms(self, start_ms: int, end_ms: int) -> tuple[int, int]:
        """Return where in the caller's track lies a stretch of what went upstream, which is not all that came."""
        if not self._appended:
            return start_ms, end_ms
        first, last = pcm.samples_of_ms(start_ms + 1), pcm.samples_of_ms(end_ms)  # in whole ms, rounded down
        return start_ms + self._not_sent(first), end_ms + self._not_sent(last)

    def _not_sent(self, sample: int) -> int:
        """Return how many ms of the caller's had not gone upstream when their `sample`, counted from 1, did."""
        n = min(bisect_left(self._appended, (sample, 0)), len(self._appended) - 1)
        appended, came = self._appended[n]
        return pcm.ms_of_samples(max(0, came - appended))

    def _line(self, at: str | tuple[int, int]) -> str:
        if isinstance(at, str):
            return at
        self._files["frames"].seek(at[0])
        return self._files["frames"].read(at[1]).decode("ascii")

    def _text(self, name: str, lines: list[str]) -> None:
        with (self._folder / name).open("w", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in lines)

    def _track(self, name: str, silent_ms: list[tuple[int, int]]) -> None:
        source = self._files[name]
        source.seek(0)
        sound = bytearray(source.read())
        for start_ms, end_ms in silent_ms:
            start = pcm.samples_of_ms(max(0, start_ms - AROUND_MS)) * pcm.SAMPLE_BYTES
            end = min(len(sound), pcm.samples_of_ms(end_ms + AROUND_MS) * pcm.SAMPLE_BYTES)
            sound[start:end] = bytes(max(0, end - start))
        with wave.open(str(self._folder / f"{name}.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(pcm.SAMPLE_BYTES)
            out.setframerate(pcm.RATE)
            out.writeframes(sound)

    def _clear(self) -> None:
        for name, file in self._files.items():
            for undo in (file.close, (self._folder / f"{name}.part").unlink):
                try:
                    undo()
                except OSError as error:
                    self._cut(_why(error))
        self._files = {}


def _why(error: Exception) -> str:
    """Return what went wrong, in words that name no file: the folder's owner knows it, and others need not."""
    return (error.strerror if isinstance(error, OSError) else None) or f"a fault: {type(error).__name__}"


class _RecordedLeg:
    """A caller leg that is written down: what is heard, played and sent."""

    def __init__(self, leg: CallerLeg, recording: Recording) -> None:
        self._leg = leg
        self._recording = recording

    def attach(self, *, pull: Pull, hear: Hear) -> None:
        def pulled(samples: int) -> bytes:
            chunk = pull(samples)
            self._recording.heard(chunk)
            return chunk

        def heard(chunk: bytes) -> None:
            self._recording.said(chunk)
            hear(chunk)

        self._leg.attach(pull=pulled, hear=heard)

    async def events(self) -> AsyncIterator[LegEvent]:
        async for event in self._leg.events():
            if isinstance(event, LegUp):
                self._recording.announce()
            elif isinstance(event, LegMessage):
                self._recording.sent(event.text)
            elif isinstance(event, LegKey):  # as the page would tell it
                self._recording.sent(json.dumps({"type": DTMF, "digits": event.key}))
            yield event

    def send(self, text: str) -> None:
        self._leg.send(text)

    @property
    def rtt_ms(self) -> float:
        return self._leg.rtt_ms

    @property
    def wire_ms(self) -> float:
        return self._leg.wire_ms

    def stats(self) -> dict[str, float]:
        return self._leg.stats()

    async def close(self) -> None:
        await self._leg.close()
