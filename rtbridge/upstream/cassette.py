"""CassetteUpstream: a recorded upstream that answers again, and knows when it is asked something else.

Nothing is played by the clock alone. A frame that came is given again when all that was sent before it has been sent
again, as long after its cause as it came then; its cause is the frame sent last, or, where that is later, what the
caller's audio brought about (the begin and end of speech), which is due with the same sample of that audio. So a bridge
that is faster or slower still gets its answers after its own requests, and turns lie where the caller speaks.

What is sent is matched by kind, in order, and by meaning (meaning.py). Whatever differs is a sentence in `mismatches`;
the call goes on as well as it can, so that one run tells all. Text models answer beside it: text_cassette.py.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rtbridge.core import pcm
from rtbridge.errors import Closed
from rtbridge.upstream.frames import APPEND, TEXTS, Cassette, Row
from rtbridge.upstream.meaning import differences, label, shown
from rtbridge.upstream.port import Capabilities, WireEvent
from rtbridge.upstream.scrub import MASK
from rtbridge.upstream.text_cassette import CassetteTexts

PATIENCE_S: Final = 8.0  # that a frame may be sent later than it was, after what came before it
AHEAD_S: Final = 1.0  # of the recording, that a frame may be sent before what came before it
MAX_MISMATCHES: Final = 40
AUDIO: Final = "response.output_audio.delta"
TRUNCATE: Final = "conversation.item.truncate"
BY_AUDIO: Final = (
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.timeout_triggered",
)
# Passing one of these by would answer a question that was not asked yet.
MILESTONES: Final = ("response.created", "response.done", "input_audio_buffer.speech_started")
_ECHOES: Final = ("event_id", "item_id", "id", "previous_item_id", "call_id")  # that may hold an id of ours


@dataclass(slots=True)
class _Out:
    """A frame that was sent, and when it was sent again."""

    row: Row
    name: str  # "session.update #2"
    place: int  # frames that had come before it
    sent_s: float | None = None


@dataclass(slots=True)
class _In:
    """A frame that came, and what it waits for."""

    row: Row
    needs: int  # frames sent before it
    samples: int  # of the caller's audio appended before it
    cause: _Out | _In | None  # None: the connection
    given_s: float | None = None

    @property
    def gap_s(self) -> float:
        """Return how long after its cause it came."""
        return self.row.t - (self.cause.row.t if self.cause is not None else 0.0)


class CassetteUpstream:
    """An Upstream out of a recording. Runs on any loop; used once."""

    def __init__(self, cassette: Cassette) -> None:
        """Raises StoryError for a text model's output that is none."""
        self._cassette = cassette
        self._outs, self._ins = _laid_out(cassette)
        self._waiting: dict[str, deque[_Out]] = {}
        for out in self._outs:
            self._waiting.setdefault(label(out.row.event), deque()).append(out)
        self._audio_of: dict[str, _In] = {}  # by item, its first
        for frame in self._ins:
            if frame.row.event["type"] == AUDIO:
                self._audio_of.setdefault(str(frame.row.event.get("item_id")), frame)
        self._sent: Counter[str] = Counter()  # by label, of this run
        self._given = 0
        self._past = 0  # the first of `_outs` that was neither sent nor given up
        self._samples = 0
        self._ours: dict[str, str] = {}  # an id of the recording -> what it is in this run
        self._theirs: dict[str, str] = {}  # a call that we made in this run -> what it is in the recording
        self._hidden: set[str] = set()  # calls whose arguments were masked: their results cannot be compared
        self._began_s = 0.0
        self._time: Callable[[], float] = lambda: 0.0
        self._more = asyncio.Event()
        self._closed = False
        self.mismatches: list[str] = []
        self.texts = CassetteTexts(cassette, self._tell, self._due)
        self.uncompared = self.texts.uncompared  # tool outputs, since their calls' arguments were masked

    @property
    def capabilities(self) -> Capabilities:
        """Return those of the upstream that was recorded."""
        return self._cassette.capabilities

    @property
    def url(self) -> str:
        """Return the name of the file."""
        return f"cassette:{self._cassette.name}"

    async def connect(self) -> None:
        """Begin: time counts from here."""
        self._time = asyncio.get_running_loop().time
        self._began_s = self._time()

    def send(self, event: Mapping[str, Any]) -> None:
        """Take one client event and hold it against the recording. Raises Closed after close()."""
        if self._closed:
            raise Closed("the cassette is closed")
        name = label(self._as_then(event))
        self._sent[name] += 1
        waiting = self._waiting.get(name)
        if not waiting or self._is_too_early(waiting[0]):
            self._tell(f"{name} #{self._sent[name]}: not in the recording here: got {shown(event)}")
            return
        out = waiting.popleft()
        out.sent_s = self._time()
        self._learn_ids(out.row.event, event)
        self._compare(out, event)
        self._more.set()

    def send_audio(self, chunk: bytes) -> int:
        """Count the caller's audio; nothing is ever pushed out. Raises Closed after close()."""
        if self._closed:
            raise Closed("the cassette is closed")
        self._samples += pcm.samples_of(chunk)
        self._more.set()
        return 0

    async def events(self) -> AsyncIterator[WireEvent]:
        """Yield what came, each in its time; after the last, wait to be closed."""
        for frame in self._ins:
            await self._until_all_is_sent(frame.needs)
            await self._until_due(frame)
            if self._closed:
                return
            self._given += 1
            frame.given_s = self._time()
            self._notice_masks(frame.row.event)
            yield self._echoed(frame.row.event)
        await self._until_all_is_sent(len(self._outs))
        while not self._closed:
            self._more.clear()
            await self._more.wait()

    async def close(self) -> None:
        """End it; idempotent."""
        if not self._closed:
            self.texts.tell_missing()
        self._closed = True
        self._more.set()

    # -- waiting ------------------------------------------------------------------------------------------
    async def _until_all_is_sent(self, needs: int) -> None:
        """Wait for the first `needs` frames to be sent again; those that are overdue are given up, with words."""
        while self._past < needs and not self._closed:
            out = self._outs[self._past]
            if out.sent_s is not None:
                self._past += 1
                continue
            until_s = self._expected_s(out) + PATIENCE_S
            if self._time() >= until_s or not await self._change(until_s):
                self._give_up(out)

    async def _until_due(self, frame: _In) -> None:
        if frame.row.event["type"] in BY_AUDIO:
            while self._samples < frame.samples and not self._closed:
                await self._change(None)
            return
        due_s = self._when(frame.cause) + frame.gap_s
        while self._time() < due_s and not self._closed:
            if not await self._change(due_s):
                return  # a timer may come a fraction of a nanosecond before its time

    async def _change(self, until_s: float | None) -> bool:
        """Wait until something is sent or closed, and say so; False when `until_s` on the loop's clock came first."""
        self._more.clear()
        try:
            async with asyncio.timeout_at(until_s):
                await self._more.wait()
        except TimeoutError:
            return False
        return True

    def _when(self, cause: _Out | _In | None) -> float:
        if cause is None:
            return self._began_s
        at_s = cause.sent_s if isinstance(cause, _Out) else cause.given_s
        assert at_s is not None, "causes come first"
        return at_s

    def _due(self, t: float) -> float:
        """Return when a time of the recording is, going by the last that was sent or heard before it."""
        spoken = [frame for frame in self._ins[: self._given] if frame.row.event["type"] in BY_AUDIO]
        sent = [out for out in self._outs if out.sent_s is not None]
        causes: list[_In | _Out] = [*spoken, *sent]
        before = [cause for cause in causes if cause.row.t <= t]
        last = max(before, key=lambda cause: cause.row.t, default=None)
        return self._when(last) + t - (last.row.t if last is not None else 0.0)

    def _expected_s(self, out: _Out) -> float:
        """Return when `out` would be sent again, going by the last frame that came before it."""
        if out.place == 0:
            return self._began_s + out.row.t
        before = self._ins[out.place - 1]
        return self._when(before) + out.row.t - before.row.t

    def _give_up(self, out: _Out) -> None:
        if out.sent_s is not None:  # in the very moment in which its time was over
            return
        self._waiting[label(out.row.event)].remove(out)
        out.sent_s = self._time()
        self._tell(
            f"{out.name}: missing: expected {shown(out.row.event)}, sent at {out.row.t:.2f} s of the recording; "
            f"nothing like it came within {PATIENCE_S:g} s of its time"
        )

    def _is_too_early(self, out: _Out) -> bool:
        """Say whether the recording has to go on for a while before this was sent: then it is another one."""
        if label(out.row.event).startswith("output of "):  # named by its call: there is no other one
            return False
        now_t = self._ins[self._given - 1].row.t if self._given else 0.0
        between = self._ins[self._given : out.place]
        return any(f.row.event["type"] in MILESTONES and f.row.t > now_t + AHEAD_S for f in between)

    # -- meaning ------------------------------------------------------------------------------------------
    def _compare(self, out: _Out, event: Mapping[str, Any]) -> None:
        item = out.row.event.get("item")
        if isinstance(item, Mapping) and item.get("call_id") in self._hidden:
            self.uncompared += 1
            return
        found = differences(self._echoed(out.row.event), event)
        if found and event.get("type") == TRUNCATE:
            found = differences(self._echoed(out.row.event), self._in_step(out, event))
        if found:
            self._tell(f"{out.name}: {'; '.join(found)}")

    def _in_step(self, out: _Out, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a truncation as if its item had come as long before it as then.

        A busy bridge called its tools late: now that they answer at once, the caller has heard as much more.
        """
        came = self._audio_of.get(str(event.get("item_id")))
        end_ms = event.get("audio_end_ms")
        if came is None or came.given_s is None or not isinstance(end_ms, int):
            return event
        later_s = (self._time() - came.given_s) - (out.row.t - came.row.t)
        return {**event, "audio_end_ms": end_ms - round(later_s * 1000)}

    def _tell(self, sentence: str) -> None:
        if len(self.mismatches) < MAX_MISMATCHES:
            self.mismatches.append(sentence)

    def _as_then(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an event about a call that we made by the call's id of the recording."""
        item = event.get("item")
        if isinstance(item, Mapping) and (was := self._theirs.get(str(item.get("call_id")))) is not None:
            return {**event, "item": {**item, "call_id": was}}
        return event

    def _learn_ids(self, was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        pairs = [(was.get("event_id"), now.get("event_id"))]
        one, other = was.get("item"), now.get("item")
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            pairs.append((one.get("id"), other.get("id")))
            if other.get("type") == "function_call":  # a handoff that nobody but the caller asked for
                pairs.append((one.get("call_id"), other.get("call_id")))
                self._theirs[str(other.get("call_id"))] = str(one.get("call_id"))
        for old, new in pairs:
            if isinstance(old, str) and isinstance(new, str):
                self._ours[old] = new

    def _echoed(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return a frame of the recording with our ids of then replaced by ours of now."""
        kept = event.get("event_id")  # of the frame itself, which is the server's
        found = {key: self._renamed(key, value) for key, value in event.items()}
        return found if kept is None else found | {"event_id": kept}

    def _renamed(self, key: str, value: Any) -> Any:
        if isinstance(value, str):
            return self._ours.get(value, value) if key in _ECHOES else value
        if isinstance(value, Mapping):
            return {inner: self._renamed(inner, one) for inner, one in value.items()}
        if isinstance(value, list):
            return [self._renamed(key, one) for one in value]
        return value

    def _notice_masks(self, event: Mapping[str, Any]) -> None:
        """Note a call whose arguments were masked: the tool now gets others, and may well say something else."""
        item = event.get("item")
        for holder in (event, item if isinstance(item, Mapping) else {}):
            arguments, call_id = holder.get("arguments"), holder.get("call_id")
            if isinstance(arguments, str) and isinstance(call_id, str) and MASK.search(arguments):
                self._hidden.add(call_id)


def _laid_out(cassette: Cassette) -> tuple[list[_Out], list[_In]]:
    """Return what was sent and what came, each with what came about before it."""
    outs: list[_Out] = []
    ins: list[_In] = []
    counts: Counter[str] = Counter()
    cause: _Out | _In | None = None
    samples = 0
    for row in cassette.rows:
        if row.event["type"] in TEXTS:
            continue
        if row.dir == "in":
            frame = _In(row, len(outs), samples, cause)
            ins.append(frame)
            if row.event["type"] in BY_AUDIO:
                cause = frame
        elif row.event["type"] == APPEND:
            samples += row.event["samples"]
        else:
            name = label(row.event)
            counts[name] += 1
            cause = _Out(row, f"{name} #{counts[name]}", len(ins))
            outs.append(cause)
    return outs, ins
