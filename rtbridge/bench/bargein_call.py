"""One case of `rtbridge bench bargein` as a whole call: a caller whose microphone hears it, and the engine.

The engine is the offline one, with its own voice, kept once it was made, and its own ears. What opens its gate is its
own turn detection or `Gate`; a case says which by whether it is meant.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rtbridge.agents.scenario import Scenario
from rtbridge.bench import sounds
from rtbridge.bench.bargein_cases import Case, returned
from rtbridge.core import journal, pcm
from rtbridge.engine.load import load_models
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.engine.parts import Act, EngineParts, Say, Spoken, TextReply, Turn, VadConfig, VadEdge
from rtbridge.engine.vad import SileroVad
from rtbridge.replay.caller import ReplayCaller
from rtbridge.replay.clock import run_virtual
from rtbridge.replay.hearing import Hearing
from rtbridge.replay.run import CountingIds, TappedUpstream
from rtbridge.session import Session
from rtbridge.settings import Settings
from rtbridge.upstream.port import Capabilities, Upstream, WireEvent

TALK: Final = (
    "Thank you for calling, I am glad that you are here. Let me tell you everything about our house. "
    "We sell skis and snowboards, boots and bindings, and whatever else the winter may ask of you. "
    "The workshop sharpens edges and waxes bases on every day of the week, mornings and afternoons. "
    "In summer we lend out bicycles, tents and boats, and people come from far away to row on the lake."
)
AGENT: Final = '''"""One desk that talks."""

from agents.realtime import RealtimeAgent

guardrails = []
start = RealtimeAgent(name="desk", instructions="You talk.")
'''
STAYS_MS: Final = 1_800  # after the sound
GATE_DBFS: Final = -55.0
GATE_MS: Final = 60


@dataclass(frozen=True, slots=True)
class Called:
    """What is left of a case's call."""

    case: Case
    script: Listener
    made: bytes  # all that the agent had to say, 24 kHz mono s16le
    started_s: list[float]  # when the bridge was told of speech
    entries: list[tuple[float, journal.Entry]]


def call_of(case: Case, scenario: Scenario, voice: KeptVoice) -> Called:
    """Carry out one case on the virtual clock. Blocking. Raises ReplayError when it could not be."""
    return run_virtual(lambda: _call(case, scenario, voice), limit_s=60)


async def _call(case: Case, scenario: Scenario, voice: KeptVoice) -> Called:
    models = load_models()
    parts = EngineParts(
        vad=(lambda config: SileroVad(models.silero, config)) if case.meant else Gate,
        ears=models.ears,
        voice=voice,
        wits=_Talker(),
        text=_NoText(),
    )
    new_id, loop = CountingIds(), asyncio.get_running_loop()
    script = Listener(case)
    caller = ReplayCaller(script)
    engine: Upstream = MemoryUpstream(
        parts, capabilities=Capabilities(is_engine=True, word_times=True), new_id=new_id, model="engine"
    )
    upstream = _Watched(engine, loop.time)
    entries: list[tuple[float, journal.Entry]] = []
    session = Session(
        call_id="rtc_bench",
        scenario=scenario,
        agent=scenario.start,
        leg=caller,
        upstream=upstream,
        settings=Settings(max_call_s=60),
        record=lambda _call_id, _at_ms, entry: entries.append((loop.time(), entry)),
        new_id=new_id,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(caller.run(), name="caller")
        await session.run()
    await asyncio.sleep(1.0)
    made = bytes(next(iter(upstream.made.values())))
    return Called(case, script, made, upstream.started_s, entries)


class Listener:
    """A caller who lets the agent talk, and over whose line one sound comes."""

    def __init__(self, case: Case) -> None:
        self.outbox: list[str] = []
        self.pressed: list[str] = []
        self.reason: str | None = None
        self.heard = bytearray()
        self.began_s = 0.0
        self.sound_at = 0  # sample of the call
        self._case = case
        self._ears = Hearing()
        self._noise = sounds.room(np.random.default_rng(case.number), 60 * pcm.RATE, case.room_dbfs)
        self._sound = np.frombuffer(case.sound, "<i2").astype(np.float64)

    @property
    def is_over(self) -> bool:
        """Say whether all was heard that matters."""
        done = (
            self.sound_at + len(self._sound) + pcm.samples_of_ms(STAYS_MS + (2_500 if self._case.echo else 0))
        )
        return bool(self.sound_at) and len(self.heard) // pcm.SAMPLE_BYTES >= done

    def tick(self, heard: bytes) -> bytes:
        """Take 20 ms and return what the microphone hears in them."""
        at = len(self.heard) // pcm.SAMPLE_BYTES
        if not at:
            self.began_s = asyncio.get_running_loop().time()
        self.heard += heard
        self._ears.feed(heard)
        if not self.sound_at and self._ears.bursts:
            self.sound_at = self._ears.bursts[0].start + pcm.samples_of_ms(self._case.after_ms)
        said = self._noise[at : at + pcm.FRAME_SAMPLES].copy()
        self._mix(said, self._sound, self.sound_at - at if self.sound_at else pcm.RATE)
        if self._case.echo is not None:
            late = at - pcm.samples_of_ms(self._case.echo.delay_ms)
            reach = pcm.samples_of_ms(20)
            lately = np.zeros(reach + pcm.FRAME_SAMPLES)
            begin = max(0, late - reach)
            if late + pcm.FRAME_SAMPLES > 0:
                part = np.frombuffer(self.heard, "<i2")[begin : late + pcm.FRAME_SAMPLES].astype(np.float64)
                lately[len(lately) - len(part) :] = part
            said += returned(lately, self._case.echo)[reach:]
        return np.clip(np.round(said), -32768, 32767).astype("<i2").tobytes()

    def message(self, text: str) -> None:
        """Leave the data channel alone."""

    def ended_by_peer(self, reason: str) -> None:
        """Note the end."""
        self.reason = reason

    @staticmethod
    def _mix(said: np.ndarray[Any, np.dtype[np.float64]], sound: np.ndarray[Any, Any], at: int) -> None:
        """Add what of `sound`, which begins at sample `at` of `said`, falls into it."""
        begin, end = max(0, -at), min(len(sound), len(said) - at)
        if begin < end:
            said[at + begin : at + end] += sound[begin:end]


class _Watched(TappedUpstream):
    """Notes when the bridge was told of speech."""

    def __init__(self, inner: Upstream, time: Callable[[], float]) -> None:
        super().__init__(inner)
        self.started_s: list[float] = []
        self._time = time

    async def events(self) -> AsyncIterator[WireEvent]:
        """Pass on server events."""
        async for event in super().events():
            if event.get("type") == "input_audio_buffer.speech_started":
                self.started_s.append(self._time())
            yield event


class Gate:
    """A turn detection (`parts.Vad`) that takes 60 ms of any sound for speech."""

    def __init__(self, config: VadConfig) -> None:
        """Begin a stream at sample 0."""
        self._prefix = pcm.samples_of_ms(config.prefix_padding_ms)
        self._silence = pcm.samples_of_ms(config.silence_ms)
        self._rest = b""
        self._heard = self._edge = self._loud = self._quiet = 0
        self._speaking = False

    def feed(self, pcm_: bytes) -> list[VadEdge]:
        """Hear audio; see `parts.Vad.feed`."""
        edges: list[VadEdge] = []
        self._rest += pcm_
        size = pcm.samples_of_ms(10)
        while len(self._rest) >= size * pcm.SAMPLE_BYTES:
            window = np.frombuffer(self._rest, "<i2", size).astype(np.float64)
            self._rest = self._rest[size * pcm.SAMPLE_BYTES :]
            self._heard += size
            if np.sqrt(np.mean(window * window)) > 32768 * 10 ** (GATE_DBFS / 20):
                self._loud, self._quiet = self._loud + size, 0
            else:
                self._quiet += size
                if self._quiet > pcm.samples_of_ms(100):
                    self._loud = 0
            if not self._speaking and self._loud >= pcm.samples_of_ms(GATE_MS):
                self._speaking = True
                self._edge = max(self._edge, self._heard - self._loud - self._prefix, 0)
                edges.append(VadEdge("started", self._edge))
            elif self._speaking and self._quiet >= self._silence:
                self._speaking, self._loud, self._edge = False, 0, self._heard
                edges.append(VadEdge("stopped", self._edge))
        return edges

    def reset(self) -> None:
        """Forget speech in progress; see `parts.Vad.reset`."""
        self._speaking, self._loud = False, 0
        self._edge = self._heard


class _Talker:
    """Wits that talk at length, and are short once they were interrupted."""

    def __init__(self) -> None:
        self._said = itertools.count()

    def answer(self, turn: Turn) -> Iterable[Act]:
        """Say it all, then next to nothing."""
        return [Say("I see." if next(self._said) else TALK)]


class _NoText:
    """Nobody asks for text here."""

    def respond(self, *_: object) -> TextReply:
        """Return nothing."""
        return TextReply("")


class KeptVoice:
    """The engine's own voice; what it has said once it says again as it was."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, float], list[Spoken]] = {}

    def speak(self, text: str, *, voice: str, speed: float) -> Iterator[Spoken]:
        """Yield `text` as audio; see `parts.Voice.speak`."""
        key = (text, voice, speed)
        if key not in self._kept:
            self._kept[key] = list(load_models().voice.speak(text, voice=voice, speed=speed))
        yield from self._kept[key]
