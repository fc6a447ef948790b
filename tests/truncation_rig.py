"""What is needed to hold the bridge's truncations against the caller's own recording.

The agent's voice is made of recorded human words, each put at a known sample, over a breath of noise that never
repeats, so that the recording can be told from silence everywhere. Where the agent was stopped is found in the
recording alone: the last of what was heard before it fell silent is correlated with all that the upstream ever made.
Nothing here asks the bridge.
"""

from __future__ import annotations

import functools
import itertools
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rtbridge.bench import sounds
from rtbridge.core import pcm
from rtbridge.engine.parts import Act, Say, Spoken, Turn
from rtbridge.replay.hearing import audible_span
from rtbridge.replay.sound import read_sound

Samples = npt.NDArray[np.int16]

DIGITS = Path("/usr/share/asterisk/sounds/en_US_f_Allison/digits")  # Debian's asterisk-core-sounds-en-wav
NUMBERS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty
"""
DAYS = "sunday monday tuesday wednesday thursday friday saturday"
MONTHS = "january february march april may june july august september october november december"
OTHERS = "hundred thousand million minus dollars today tomorrow yesterday oh pound star"
FILES = {
    **{name: str(n) for n, name in enumerate(NUMBERS.split())},
    **{name: f"day-{n}" for n, name in enumerate(DAYS.split())},
    **{name: f"mon-{n}" for n, name in enumerate(MONTHS.split())},
    **{name: name for name in OTHERS.split()},
}
NOISE = 60.0  # RMS: -55 dBFS, below what anybody takes for a voice
WORD_RMS = 2_600.0
SILENT_RMS = 12.0  # of 5 ms: less, and nobody speaks, not even the noise
STOPPED_MS = 440  # of silence: a decision takes 400 at most, and an answer may come 480 after a late one
HANGS_UP_MS = 1_000  # of silence after the last interruption: before it is answered
GREETING_MS = 6_000
ASKS_AFTER_MS = 1_000  # of silence on both sides
STEP = pcm.samples_of_ms(5)
# How much of the end of a recording is looked for, in ms, and how like it must be: a short piece is like many things.
PROBES = ((500, 0.65), (250, 0.75), (120, 0.85), (60, 0.92), (30, 0.96))
COARSE = 8
WHOLE = 0.97
TAIL, SLIP = pcm.samples_of_ms(120), pcm.samples_of_ms(120)
RING_STEP = pcm.samples_of_ms(5) // 2
RINGS = pcm.samples_of_ms(150)  # Opus, when a loud voice is cut off
PEAKS = 6


@functools.cache
def recorded(word: str) -> npt.NDArray[np.float64]:
    """Return a word as it was spoken, from its first audible sample to its last."""
    sound = read_sound(DIGITS / f"{FILES[word]}.wav", label=word).pcm
    span = audible_span(sound)
    part = np.frombuffer(sound, "<i2")[span.start : span.end].astype(np.float64)
    return np.asarray(part / np.sqrt(np.mean(part * part)) * WORD_RMS)


@dataclass(frozen=True)
class Line:
    """A text as it was spoken."""

    text: str
    sound: bytes
    ends: tuple[int, ...]  # the sample at which each word is over
    begins: tuple[int, ...]


class WordsVoice:
    """`parts.Voice` of recorded words. `pauses` are those between words and between sentences, in ms."""

    def __init__(self, pauses: tuple[tuple[int, int], tuple[int, int]] = ((10, 110), (160, 380))) -> None:
        self.lines: dict[str, Line] = {}
        self._pauses = pauses

    def speak(self, text: str, *, voice: str, speed: float) -> Iterator[Spoken]:
        line = self.lines.get(text) or self.lines.setdefault(text, self._spoken(text))
        pieces = re.findall(r"\S+\s*", text)
        yield Spoken(line.sound, tuple(zip(pieces, line.begins, strict=True)))

    def _spoken(self, text: str) -> Line:
        chance = np.random.default_rng(list(text.encode()))
        parts: list[npt.NDArray[np.float64]] = []
        begins: list[int] = []
        ends: list[int] = []
        at = 0
        for word in text.split():
            said = recorded(word.strip(".,?").lower())
            pace = chance.uniform(1.25, 1.45)  # alone, words are said slowly
            said = np.interp(np.arange(0, len(said) - 1, pace), np.arange(len(said)), said)
            shortest, longest = self._pauses[word[-1] in ".?"]
            rest = np.zeros(pcm.samples_of_ms(int(chance.integers(shortest, longest + 1))))
            begins.append(at)
            ends.append(at + len(said))
            parts += [said, rest]
            at += len(said) + len(rest)
        sound = np.concatenate(parts) + chance.normal(0, NOISE, at)
        clipped = np.clip(np.round(sound), -32_000, 32_000)
        clipped[clipped == 0] = 1  # never silent, to the sample
        return Line(text, clipped.astype("<i2").tobytes(), tuple(ends), tuple(begins))


class Talker:
    """`parts.Wits`: one or two messages an answer, each of so many sentences that are drawn."""

    def __init__(self, seed: int, sentences: tuple[int, int] = (2, 4)) -> None:
        self._chance = random.Random(seed)
        self._sentences = sentences

    def answer(self, turn: Turn) -> Iterable[Act]:
        if not turn.items:
            return [Say(self._text(1))]
        return [
            Say(self._text(self._chance.randint(*self._sentences)))
            for _ in range(1 + (self._chance.random() < 0.4))
        ]

    def _text(self, sentences_: int) -> str:
        sentences = []
        for _ in range(sentences_):
            words = self._chance.choices(list(FILES), k=self._chance.randint(3, 8))
            if len(words) > 5:
                words[2] += ","
            sentences.append(" ".join(words).capitalize() + ".")
        return " ".join(sentences)


@dataclass
class Interrupter:
    """A caller who lets the agent talk for a while and then talks over it, again and again; all that they hear is kept.

    It goes by its own recording, 20 ms by 20 ms.
    """

    seed: int
    times: int
    coughs: float = 0.25  # how often a cough comes before the words
    longest_ms: int = 4_500  # that the agent is let talk
    heard: bytearray = field(default_factory=bytearray)
    began_at: list[int] = field(
        default_factory=list
    )  # samples of the recording at which something over the agent began
    interrupted: int = 0  # times
    outbox: list[str] = field(default_factory=list)
    pressed: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    reason: str | None = None

    def __post_init__(self) -> None:
        self._chance = random.Random(f"interrupter {self.seed}")
        self._saying: Iterator[bytes] = iter(())
        self._sounding_ms = self._quiet_ms = self._idle_ms = 0
        self._greeted = self._sounds = False
        self._cough_after_ms = -1
        self._draw()
        self._after_ms, self._cough_after_ms = GREETING_MS, -1  # that is heard to its end

    @property
    def is_over(self) -> bool:
        """Whether the last interruption was heard to its end."""
        return self.reason is not None or (self.interrupted >= self.times and self._quiet_ms > HANGS_UP_MS)

    def tick(self, heard: bytes) -> bytes:
        """Listen to 20 ms, and say 20 ms."""
        self.listen(heard)
        return self.say()

    def listen(self, heard: bytes) -> None:
        """Hear the next 20 ms."""
        self.heard += heard
        frame = np.frombuffer(heard, "<i2").astype(np.float64)
        self._sounds = float(np.sqrt(np.mean(frame * frame))) > SILENT_RMS
        self._sounding_ms += pcm.FRAME_MS * self._sounds
        self._greeted = self._greeted or self._sounds
        self._quiet_ms = 0 if self._sounds else self._quiet_ms + pcm.FRAME_MS
        self._idle_ms = 0 if self._sounds else self._idle_ms + pcm.FRAME_MS

    def say(self) -> bytes:
        """Return the next 20 ms of what is said."""
        if (said := next(self._saying, None)) is not None:
            self._idle_ms = 0
            return said
        if self._quiet_ms > STOPPED_MS:  # it has ended: what it says next is another answer
            self._sounding_ms = 0
            if self._greeted and self._after_ms == GREETING_MS:
                self._draw()
            if self._idle_ms >= ASKS_AFTER_MS and self.interrupted < self.times:
                self._idle_ms = 0
                self._began()
                self._saying = self._words(600)  # nobody talks: somebody has to ask
        elif self._sounds and 0 <= self._cough_after_ms < self._sounding_ms:
            self._cough_after_ms = -1
            self._began()
            cough = sounds.cough(np.random.default_rng(self._chance.randrange(1 << 30)))
            self._saying = _frames(sounds.at_level(cough[: pcm.samples_of_ms(260)], -22))
        elif self._sounds and self._sounding_ms >= self._after_ms and self.interrupted < self.times:
            self.interrupted += 1
            self._began()
            self._saying = self._words(self._chance.randint(700, 1_100))
            self._sounding_ms = 0
            self._draw()
        return pcm.SILENT_FRAME

    def message(self, text: str) -> None:
        """Keep a message of the data channel."""
        self.told.append(text)

    def ended_by_peer(self, reason: str) -> None:
        """Note the end."""
        self.reason = self.reason or reason

    def _began(self) -> None:
        self.began_at.append(len(self.heard) // pcm.SAMPLE_BYTES)

    def _draw(self) -> None:
        self._after_ms = int(self._chance.uniform(20, self.longest_ms))
        coughs = self._chance.random() < self.coughs and self._after_ms > 1_600
        self._cough_after_ms = self._chance.randint(200, self._after_ms - 1_400) if coughs else -1

    def _words(self, ms: int) -> Iterator[bytes]:
        chance = np.random.default_rng(self._chance.randrange(1 << 30))
        return _frames(sounds.at_level(sounds.babble(chance, ms), -20))


def _frames(sound: bytes) -> Iterator[bytes]:
    size = pcm.FRAME_BYTES
    return iter([sound[at : at + size].ljust(size, b"\0") for at in range(0, len(sound), size)])


# -- the truth ----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Stopped:
    """Where an interruption stopped the agent, by the recording: an item, and so many samples of it."""

    item_id: str
    samples: int
    likeness: float


class Made:
    """All that the upstream made, to be searched for what was heard.

    Searched coarsely at 3 kHz by FFT, all items in one, and then at every sample around what is most alike there.
    """

    def __init__(self, items: Mapping[str, bytes]) -> None:
        self._apart = pcm.samples_of_ms(PROBES[0][0]) // COARSE * COARSE  # no probe reaches from item to item
        self._begins: list[tuple[int, str]] = []
        parts: list[npt.NDArray[np.float64]] = [np.zeros(self._apart)]
        at = self._apart
        for item_id, sound in items.items():
            samples = np.frombuffer(sound, "<i2").astype(np.float64)
            self._begins.append((at, item_id))
            parts += [samples, np.zeros(self._apart + -len(samples) % COARSE)]
            at += len(samples) + len(parts[-1])
        self._all = np.concatenate(parts)
        self._energy = np.concatenate([[0.0], np.cumsum(self._all * self._all)])
        coarse = _coarse(self._all)
        self._size = 1 << int(np.ceil(np.log2(len(coarse) + self._apart // COARSE)))
        self._length = len(coarse)
        self._spectrum = np.fft.rfft(coarse, self._size)
        self._coarse_energy = np.concatenate([[0.0], np.cumsum(coarse * coarse)])

    def find(self, probe: Samples) -> Stopped:
        """Return where a piece of the recording ends in what was made, by normalised cross-correlation."""
        x = probe.astype(np.float64)
        small = _coarse(x)
        last = self._length - len(small) + 1
        product = np.fft.irfft(self._spectrum * np.conj(np.fft.rfft(small, self._size)), self._size)[:last]
        energy = self._coarse_energy[len(small) :] - self._coarse_energy[: -len(small)]
        alike = product / np.sqrt(np.maximum(energy, 1.0) * float(np.dot(small, small)))
        found = (self._best(x, int(at) * COARSE) for at in np.argpartition(alike, -PEAKS)[-PEAKS:])
        likeness, end = max(found)
        if (
            likeness < WHOLE and len(x) > TAIL
        ):  # a jitter buffer has left something out: the end tells where it ended
            likeness_of_end, at = self._best(x[-TAIL:], end - TAIL, reach=SLIP)
            end = at if likeness_of_end > likeness else end
        end -= _rung(x, self._all[end - len(x) : end])
        begin, item_id = max(one for one in self._begins if one[0] < end)
        return Stopped(item_id, end - begin, likeness)

    def _best(self, x: npt.NDArray[np.float64], near: int, *, reach: int = COARSE) -> tuple[float, int]:
        """Return the likeness of `x` to what was made where it is most alike, to the sample, and where that ends."""
        first = min(max(0, near - reach), len(self._all) - len(x) - 2 * reach)
        part = self._all[first : first + len(x) + 2 * reach]
        energy = self._energy[first + len(x) :][: 2 * reach + 1] - self._energy[first:][: 2 * reach + 1]
        windows = np.lib.stride_tricks.sliding_window_view(part, len(x))
        product = np.einsum("ij,j->i", windows, x)
        likeness = product / np.sqrt(np.maximum(energy, 1.0) * np.einsum("j,j->", x, x))
        at = int(np.argmax(likeness))
        return float(likeness[at]), first + at + len(x)


def _rung(x: npt.NDArray[np.float64], made: npt.NDArray[np.float64]) -> int:
    """Return how many samples at the end of `x` are a codec's ringing after the sound: far below what was made."""
    ringing = 0
    while ringing + RING_STEP <= min(RINGS, len(x)):
        part = slice(len(x) - ringing - RING_STEP, len(x) - ringing)
        if np.mean(x[part] ** 2) >= 0.1 * np.mean(made[part] ** 2):
            break
        ringing += RING_STEP
    return ringing


def _coarse(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    whole = len(samples) // COARSE * COARSE
    return np.asarray(samples[:whole].reshape(-1, COARSE).mean(axis=1))


class Unreadable(AssertionError):
    """The recording holds nothing that the upstream made where it should."""


def stops(
    heard: Samples, began_at: Iterable[int], made: Mapping[str, bytes], *, alike: float
) -> list[Stopped | None]:
    """Return for each interruption where it stopped the agent; None where nothing was sounding any more.

    `alike` is the least correlation that counts: 1 where samples come through unchanged; what is less like anything
    that was made raises Unreadable. With 0, behind a codec, such a place is left out.
    """
    quiet, everything = quiet_steps(heard), Made(made)
    found: list[Stopped | None] = []
    for at in began_at:
        try:
            found.append(stopped(heard, quiet, at, everything, alike=alike))
        except Unreadable:
            if alike:
                raise
    return found


def quiet_steps(heard: Samples) -> npt.NDArray[np.bool_]:
    """Return which 5 ms of a recording are silent."""
    steps = heard[: len(heard) // STEP * STEP].reshape(-1, STEP).astype(np.float64)
    return np.asarray(np.sqrt(np.mean(steps * steps, axis=1)) < SILENT_RMS)


def stopped(
    heard: Samples, quiet: npt.NDArray[np.bool_], at: int, made: Made, *, alike: float
) -> Stopped | None:
    """Return where the agent was stopped by who spoke from sample `at` of the recording on."""
    needed, first, run = STOPPED_MS // 5, at // STEP, 0
    for step in range(first, len(quiet)):
        run = run + 1 if quiet[step] else 0
        if run == needed:
            break
    else:
        raise AssertionError(f"the agent did not fall silent after {at / pcm.RATE:.2f} s")
    silent = step - needed + 1
    if silent <= first:
        return None
    last = heard[(silent - 1) * STEP : (silent + 1) * STEP].astype(np.int32)
    end = (silent - 1) * STEP + int(np.flatnonzero(np.abs(last) >= SILENT_RMS)[-1]) + 1
    tried: list[Stopped] = []
    for probe_ms, least in PROBES:
        probe = heard[max(0, end - pcm.samples_of_ms(probe_ms)) : end]
        tried.append(made.find(probe))
        begins_in_it = tried[-1].samples + RINGS >= len(probe)
        if begins_in_it and tried[-1].likeness >= max(least, alike):
            return tried[-1]
    raise Unreadable(f"what was heard before {end / pcm.RATE:.3f} s is like nothing that was made: {tried}")


def holds(heard: Samples, part: Samples) -> bool:
    """Whether a recording holds these samples, one after the other."""
    at = np.arange(len(heard) - len(part) + 1)
    for n, sample in enumerate(part):
        at = at[heard[at + n] == sample]
    return len(at) > 0


def words_heard(line: Line, samples: int) -> int:
    """Return how many words of a line were over, or nearly, after so many samples."""
    middles = [(begin + end) / 2 for begin, end in zip(line.begins, line.ends, strict=True)]
    return sum(middle <= samples for middle in middles)


def counted(prefix: str = "") -> Callable[[str], str]:
    """Return a maker of ids that count, by kind."""
    made: dict[str, Any] = {}
    return lambda kind: f"{kind}_{prefix}{next(made.setdefault(kind, itertools.count(1)))}"
