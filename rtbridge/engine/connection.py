"""The driver of one connection: frames in and out, and the blocking parts in executor threads.

It runs on any event loop, a virtual one too: it never sleeps, sets no timers, reads no clock, and hands work to
threads by `loop.run_in_executor` only. Ears and voice run on as many threads as there are cores, and what somebody
waits for goes first (workers.py); wits, which may ask a text endpoint and wait for it, have the loop's own threads.
All decisions are the conversation's; what it emits is sent in the order it was emitted. Audio goes out as fast as it
is made, but a response makes its next piece only when the wire has taken the last one, so a cancellation is seen
between any two pieces.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from rtbridge.core import pcm as audio
from rtbridge.engine import events
from rtbridge.engine.conversation import Conversation
from rtbridge.engine.outbox import Job, Listen, Respond, Study, Transcribe
from rtbridge.engine.parts import EngineParts, Say, Spoken
from rtbridge.engine.workers import Urgency, workers
from rtbridge.errors import BadRequest, Closed, RtbridgeError

log = logging.getLogger(__name__)

MAX_DELTA_SAMPLES: Final = audio.samples_of_ms(200)
MAX_UNSENT: Final = 1_000  # events
T = TypeVar("T")


class Wire(Protocol):
    """A duplex of text frames, each one JSON event."""

    async def receive(self) -> str:
        """Return the next frame. Raises Closed when there are no more."""
        ...

    async def send(self, frame: str) -> None:
        """Send a frame; waits while the far side does not take it. Raises Closed after the end."""
        ...


def random_id(prefix: str) -> str:
    """Return an id like those of the API: "item_" and 22 random characters."""
    return f"{prefix}_{secrets.token_hex(11)}"


def deltas(spoken: Spoken) -> Iterator[tuple[str, bytes]]:
    """Cut one sentence into (text that begins here, audio), a cut at every word and at least every 200 ms.

    Joined, the texts are the sentence's text and the audio its audio. A client can thus tell when each word sounds from
    how much audio came before it.
    """
    total = audio.samples_of(spoken.pcm)
    marks: dict[int, str] = {0: ""}
    for text, start in spoken.words:
        at = min(max(start, max(marks)), total)
        marks[at] = marks.get(at, "") + text
    starts = sorted(marks)
    for start, end in zip(starts, [*starts[1:], total], strict=True):
        text = marks[start]
        for cut in range(start, end, MAX_DELTA_SAMPLES):
            stop = min(cut + MAX_DELTA_SAMPLES, end)
            yield text, spoken.pcm[cut * audio.SAMPLE_BYTES : stop * audio.SAMPLE_BYTES]
            text = ""
        if text:  # no audio after it
            yield text, b""


class Connection:
    """One client. `await run()` serves it until the wire closes."""

    def __init__(
        self,
        wire: Wire,
        parts: EngineParts,
        *,
        model: str,
        new_id: Callable[[str], str] = random_id,
        prompt_id: str | None = None,
    ) -> None:
        self._wire = wire
        self._parts = parts
        self._conversation = Conversation(new_id=new_id, make_vad=parts.vad, model=model, prompt_id=prompt_id)
        self._unsent: deque[dict[str, Any]] = deque()
        self._more = asyncio.Event()
        self._sent = asyncio.Event()
        self._ahead: tuple[bytes, asyncio.Future[str]] | None = (
            None  # what the ears began before they were asked
        )
        self._tasks: asyncio.TaskGroup

    async def run(self) -> None:
        """Serve until the wire raises Closed."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._write())
                self._flush()
                await self._read()
        except* Closed:
            pass
        finally:
            self._forget_ahead()

    # -- frames -----------------------------------------------------------------------------------------------
    async def _read(self) -> None:
        while True:
            frame = await self._wire.receive()
            try:
                event = events.parse(frame)
            except BadRequest as error:
                self._conversation.refuse(error, None)
                self._flush()
                continue
            for _ in self._conversation.steps(event):
                self._flush()
                await asyncio.sleep(0)
            if len(self._unsent) > MAX_UNSENT:
                await self._sent.wait()  # a client that does not read is not read from

    def _flush(self) -> None:
        """Queue what the conversation emitted, and begin its jobs."""
        emitted, jobs = self._conversation.drain()
        self._unsent.extend(emitted)
        if self._unsent:
            self._sent.clear()
            self._more.set()
        for job in jobs:
            self._begin(job)

    async def _write(self) -> None:
        while True:
            await self._more.wait()
            while self._unsent:
                await self._wire.send(json.dumps(self._unsent.popleft(), separators=(",", ":")))
            self._more.clear()
            self._sent.set()

    # -- jobs -------------------------------------------------------------------------------------------------
    def _begin(self, job: Job) -> None:
        match job:
            case Listen():
                self._forget_ahead()
                self._ahead = (job.pcm, self._hear(job.pcm, Urgency.SOON))
            case Study():
                self._tasks.create_task(self._study(job))
            case Transcribe():
                self._tasks.create_task(self._transcribe(job))
            case Respond():
                self._tasks.create_task(self._respond(job))

    def _hear(self, pcm: bytes, urgency: Urgency = Urgency.AWAITED) -> asyncio.Future[str]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(workers().at(urgency), self._parts.ears.transcribe, pcm)

    async def _study(self, job: Study) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(
                workers().at(Urgency.AHEAD), self._parts.study, job.prompt_id, job.tools
            )
        except Exception:  # a task's border: the first turn will be slower, no more
            log.exception("the engine could not study the tools of a session")

    def _heard_ahead(self, pcm: bytes) -> asyncio.Future[str] | None:
        """Return what the ears have made of `pcm`, or are making, if they began before they were asked."""
        if self._ahead is None or self._ahead[0] != pcm:
            return None
        _, heard = self._ahead
        self._ahead = None
        return heard

    def _forget_ahead(self) -> None:
        if self._ahead is not None:
            _, heard = self._ahead
            self._ahead = None
            if not heard.cancel():
                heard.exception()  # is done; what went wrong is no news when nobody asked

    async def _each(
        self, made: Callable[[], Iterable[T]], first: Executor | None, later: Executor | None
    ) -> AsyncIterator[T]:
        """Yield what a blocking iterable gives, each next in a thread of `first` or, from the second on, `later`."""
        loop = asyncio.get_running_loop()
        nothing = object()
        iterator: Iterator[T] = await loop.run_in_executor(first, lambda: iter(made()))
        room = first
        while (one := await loop.run_in_executor(room, next, iterator, nothing)) is not nothing:
            yield one  # type: ignore[misc]  # everything but the sentinel is a T
            room = later

    async def _transcribe(self, job: Transcribe) -> None:
        hearing = self._conversation.hearing
        try:
            text = await (self._heard_ahead(job.pcm) or self._hear(job.pcm))
        except Exception as error:  # noqa: BLE001  a task's border: one utterance must not end the connection
            reason = self._reason("ears", error)
            if not job.early:
                hearing.transcription_failed(job.item_id, reason)
        else:
            (hearing.heard_early if job.early else hearing.transcribed)(job.item_id, text)
        self._flush()

    async def _respond(self, job: Respond) -> None:
        responses = self._conversation.responses
        try:
            async for act in self._each(lambda: self._parts.wits.answer(job.turn), None, None):
                if not responses.is_active(job.response_id):
                    return
                if isinstance(act, Say):
                    await self._say(job, act.text)
                else:
                    responses.called(job.response_id, act)
                    await self._passed()
            responses.finished(job.response_id)
        except Exception as error:  # noqa: BLE001  a task's border: one response must not end the connection
            responses.failed(job.response_id, self._reason("wits or voice", error))
        self._flush()

    async def _say(self, job: Respond, text: str) -> None:
        responses = self._conversation.responses
        responses.begin_message(job.response_id)
        if job.modality == "text":
            for word in re.findall(r"\S+\s*|\s+", text):
                responses.written(job.response_id, word)
                await self._passed()
        else:
            voice = self._parts.voice
            made = partial(voice.speak, text, voice=job.turn.voice, speed=job.speed)
            async for spoken in self._each(made, workers().at(Urgency.AWAITED), workers().at(Urgency.AHEAD)):
                for piece, pcm in deltas(spoken):
                    if not responses.is_active(job.response_id):
                        return
                    responses.spoken(job.response_id, piece, pcm)
                    await self._passed()
        responses.end_message(job.response_id)
        await self._passed()

    async def _passed(self) -> None:
        """Send what was emitted, wait until the wire has taken it, and let the loop see what the client sent."""
        self._flush()
        await self._sent.wait()
        await asyncio.sleep(0)

    @staticmethod
    def _reason(part: str, error: Exception) -> str:
        if isinstance(error, RtbridgeError):
            return str(error)
        log.error("the engine's %s failed", part, exc_info=error)
        return f"The engine's {part} failed: {type(error).__name__}."
