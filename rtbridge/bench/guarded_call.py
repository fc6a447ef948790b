"""One call in which the agent says a forbidden sentence: the whole bridge on the virtual clock, heard by a recorder.

The voice is no voice: every sentence sounds at a level of its own, so that each sample of the caller-side recording
says whose it is. The upstream is the engine in memory, whose transcript and audio come at a multiple of real time, and
the classifier is the engine's list behind a delay, which fails or hangs now and then. The same seed is the same call.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import random
import re
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtbridge.agents.agent_settings import AgentSettings
from rtbridge.agents.local_text import LocalTextModel
from rtbridge.agents.scenario import Scenario, load_scenario
from rtbridge.core import journal, pcm
from rtbridge.core.gate import Policy
from rtbridge.engine.classify import WordList
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.engine.parts import Act, EngineParts, Say, Spoken, TextReply, Turn, VadConfig, VadEdge
from rtbridge.replay.caller import ReplayCaller
from rtbridge.replay.clock import run_virtual
from rtbridge.replay.run import CountingIds
from rtbridge.session import Session
from rtbridge.settings import Settings
from rtbridge.upstream.passing import PassingUpstream
from rtbridge.upstream.port import Capabilities, Upstream, WireEvent

WORD_SAMPLES: Final = pcm.samples_of_ms(300)
PAUSE_SAMPLES: Final = pcm.samples_of_ms(140)
FLAGGED_LEVEL: Final = 24_000
OTHER_LEVEL: Final = 700  # phrases and corrected answers
QUIET_ENDS_MS: Final = 5_000  # longer than any wait for a verdict, and for an answer after it
LONGEST_MS: Final = 60_000
SLOWEST_S, QUICKEST_S = 1.5, 0.05
FAILING, HANGING = 0.05, 0.05  # shares of the checks

FORBIDDEN: Final = (
    "You are an idiot and you know it.",
    "All other providers are scammers and crooks.",
    "Our competitors are a joke to be honest.",
    "I will hurt you if you call again.",
)
CORRECTED: Final = "Let me put that in another way. It is better to see for yourself."
_AGENTS: Final = '''"""A desk."""

from agents.realtime import RealtimeAgent

start = RealtimeAgent(name="desk", instructions="Answer the caller.")
'''
_WORDS: Final = """
    the order parcel street morning window garden paper little yellow river table number letter evening open ready
    carries over under between before after with from into through usual quiet simple second corner
"""


@dataclass(frozen=True, slots=True)
class Case:
    """What the agent says, where in it the forbidden sentence is, and how fast it is made."""

    seed: int
    sentences: tuple[str, ...]
    flagged: int
    speed: float  # of the transcript and the audio, in multiples of real time
    in_step: bool  # the transcript comes at word times, with the audio; else ahead of it, at no times one could use

    @staticmethod
    def of(seed: int) -> Case:
        """Make the case of a seed."""
        chance = random.Random(seed)
        before, after = chance.randint(0, 5), chance.randint(0, 3)
        said = [_sentence(chance, n) for n in range(before + after)]
        said.insert(before, chance.choice(FORBIDDEN))
        return Case(seed, tuple(said), before, chance.choice((2.0, 3.0, 6.0)), chance.random() < 0.5)

    def level(self, sentence: str) -> int:
        """Return the value of the samples of a sentence."""
        if sentence not in self.sentences:
            return OTHER_LEVEL
        at = self.sentences.index(sentence)
        return FLAGGED_LEVEL if at == self.flagged else 1_000 + 500 * at


def _sentence(chance: random.Random, n: int) -> str:
    words = chance.choices(_WORDS.split(), k=chance.randint(5, 12))
    return f"Point {n + 1} {' '.join(words)}."


@dataclass
class Call:
    """What is left of a call."""

    case: Case
    heard: npt.NDArray[np.int16]  # the caller-side recording, 24 kHz
    entries: list[tuple[float, journal.Entry]]  # ms on the recording's time line
    first_audio_ms: float  # the first audio of the answer came

    def onset_ms(self, sentence: int) -> float | None:
        """Return when a sentence of the answer began to be heard, or None."""
        found = np.flatnonzero(self.heard == self.case.level(self.case.sentences[sentence]))
        return float(found[0]) / pcm.RATE * 1000 if len(found) else None

    def last_ms(self) -> float:
        """Return when the last sample of the answer itself was heard."""
        (found,) = np.nonzero(self.heard > OTHER_LEVEL)
        return (float(found[-1]) + 1) / pcm.RATE * 1000 if len(found) else 0.0

    def other_ms(self) -> float | None:
        """Return when something else than the answer began to be heard: a safe phrase, or a corrected answer."""
        found = np.flatnonzero(self.heard == OTHER_LEVEL)
        return float(found[0]) / pcm.RATE * 1000 if len(found) else None

    @property
    def flagged_ms(self) -> float:
        """Return how much of the forbidden sentence was heard."""
        return float(np.count_nonzero(self.heard == FLAGGED_LEVEL)) / pcm.RATE * 1000

    def tripped(self) -> tuple[float, journal.GuardrailTripped] | None:
        """Return when and how the answer was stopped, or None."""
        return next(
            ((at, one) for at, one in self.entries if isinstance(one, journal.GuardrailTripped)), None
        )


def play(case: Case, policy: Policy) -> Call:
    """Make the call under a policy. Blocking; raises what breaks it."""
    return run_virtual(lambda: _play(case, policy), limit_s=LONGEST_MS / 1000 + 60)


async def _play(case: Case, policy: Policy) -> Call:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    ids, listener = CountingIds(), _Listener()
    leg = ReplayCaller(listener)
    parts = EngineParts(_Deaf, _Deaf(), _Levels(case), _Wits(case), _List())
    capabilities = Capabilities(is_engine=True, word_times=case.in_step)
    upstream = _Paced(MemoryUpstream(parts, capabilities=capabilities, new_id=ids), case)
    entries: list[tuple[float, journal.Entry]] = []
    session = Session(
        call_id=f"bench_{case.seed}",
        scenario=_scenario(policy),
        agent="desk",
        leg=leg,
        upstream=upstream,
        settings=Settings(max_call_s=300),
        record=lambda _call, _at_ms, entry: entries.append(((loop.time() - began_s) * 1000, entry)),
        new_id=ids,
        text_model=lambda _name: _Judge(case),
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(leg.run())
        await session.run()
    heard = np.frombuffer(bytes(listener.heard), np.int16)
    return Call(case, heard, entries, (upstream.first_audio_s - began_s) * 1000)


@functools.cache
def _scenario(policy: Policy) -> Scenario:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "bench")
        home.mkdir()
        (home / "agents.py").write_text(_AGENTS, encoding="utf-8")
        return replace(load_scenario(home), settings={"desk": AgentSettings(guardrail=policy)})


@dataclass
class _Listener:
    """A caller who says nothing, and hangs up when there was nothing to hear for long enough."""

    heard: bytearray = field(default_factory=bytearray)
    outbox: list[str] = field(default_factory=list)
    pressed: list[str] = field(default_factory=list)
    reason: str | None = None
    quiet_ms: int = 0

    @property
    def is_over(self) -> bool:
        return self.reason is not None or self.quiet_ms >= QUIET_ENDS_MS or len(self.heard) >= 48 * LONGEST_MS

    def tick(self, heard: bytes) -> bytes:
        self.heard += heard
        self.quiet_ms = 0 if any(heard) else self.quiet_ms + pcm.FRAME_MS
        return pcm.SILENT_FRAME

    def message(self, text: str) -> None:
        pass

    def ended_by_peer(self, reason: str) -> None:
        self.reason = self.reason or reason


class _Paced(PassingUpstream):
    """Lets audio come no faster than at a multiple of real time; what was cancelled comes at once.

    Where text is not in step with audio, an answer's text comes before its audio.
    """

    def __init__(self, inner: Upstream, case: Case) -> None:
        super().__init__(inner)
        self._case = case
        self._made_s = 0.0
        self._cancelled = False
        self.first_audio_s = 0.0

    def send(self, event: Mapping[str, Any]) -> None:
        self._cancelled = self._cancelled or event.get("type") == "response.cancel"
        super().send(event)

    async def events(self) -> AsyncIterator[WireEvent]:
        behind: list[WireEvent] = []
        async for event in super().events():
            is_audio = event["type"] == "response.output_audio.delta"
            if is_audio and not self._case.in_step:
                behind.append(event)
                continue
            if not event["type"].endswith(".delta"):
                for earlier in behind:
                    await self._make(earlier)
                    yield earlier
                behind.clear()
            if is_audio:
                await self._make(event)
            self._cancelled = self._cancelled and event["type"] != "response.done"
            yield event

    async def _make(self, audio: WireEvent) -> None:
        """Take the time that it takes to make some audio."""
        if self._cancelled:
            return
        loop = asyncio.get_running_loop()
        samples = pcm.samples_of(base64.b64decode(audio["delta"]))
        self._made_s = max(self._made_s, loop.time()) + samples / pcm.RATE / self._case.speed
        await asyncio.sleep(self._made_s - loop.time())
        self.first_audio_s = self.first_audio_s or loop.time()


class _Levels:
    """`parts.Voice`: each sentence at its level."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def speak(self, text: str, *, voice: str, speed: float) -> Iterator[Spoken]:
        for sentence in re.findall(r"[^.!?]+[.!?]+\s*|[^.!?]+$", text):
            pieces = re.findall(r"\S+\s*", sentence)
            sound = np.full(WORD_SAMPLES * len(pieces), self._case.level(sentence.strip()), "<i2").tobytes()
            words = tuple((piece, n * WORD_SAMPLES) for n, piece in enumerate(pieces))
            yield Spoken(sound + pcm.silence(PAUSE_SAMPLES), words)


class _Wits:
    """`parts.Wits`: says the case first, and another thing when it was corrected; phrases word by word."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def answer(self, turn: Turn) -> Iterable[Act]:
        told = re.fullmatch(r'Say exactly[^"]*"([^"]+)"', turn.response_instructions or "")
        if told is not None:
            return [Say(told[1])]
        corrected = any(item.get("role") == "system" for item in turn.items)
        return [Say(CORRECTED if corrected else " ".join(self._case.sentences))]


class _Judge(LocalTextModel):
    """The classifier: the engine's list, later, or never."""

    def __init__(self, case: Case) -> None:
        super().__init__(_List(), "judge")
        self._case = case

    async def get_response(self, *args: Any, **kwargs: Any) -> Any:
        chance = random.Random(f"{self._case.seed} {args[1]}")  # the text that is judged
        fate = chance.random()
        if fate < FAILING:
            raise RuntimeError("the classifier is down")
        await asyncio.sleep(3600 if fate < FAILING + HANGING else chance.uniform(QUICKEST_S, SLOWEST_S))
        return await super().get_response(*args, **kwargs)


class _List:
    """`parts.TextModel` that knows the engine's list and nothing else."""

    def __init__(self) -> None:
        self._list = WordList()

    def respond(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        model: str,
        response_format: Mapping[str, Any] | None,
    ) -> TextReply:
        return TextReply(json.dumps(self._list(messages)))


class _Deaf:
    """`parts.Vad` and `parts.Ears` of a caller who says nothing."""

    def __init__(self, config: VadConfig | None = None) -> None:
        pass

    def feed(self, pcm: bytes) -> list[VadEdge]:
        return []

    def reset(self) -> None:
        pass

    def transcribe(self, pcm: bytes) -> str:
        return ""
