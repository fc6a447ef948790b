"""The cases of `rtbridge bench bargein`: who makes which sound over the agent's words, when, and how loud.

What is meant: recorded human prompts, whole sentences and single words, and short sharp words of synthetic callers.
What is not: coughs, laughs, typing and hums, synthesised (sounds.py); words that mean "go on", spoken by synthetic
callers whose voices are not the agent's; and the agent's own voice out of a loudspeaker. A seed draws all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from rtbridge.bench import sounds
from rtbridge.bench.sounds import Floats, Random
from rtbridge.core import pcm
from rtbridge.replay.caller_voice import PROGRAMS, CallerVoice
from rtbridge.replay.hearing import audible_span
from rtbridge.replay.sound import read_sound

HUMAN: Final = Path("/usr/share/asterisk/sounds/en_US_f_Allison")  # Debian's asterisk-core-sounds-en-wav
SENTENCES: Final = (
    "all-circuits-busy-now", "auth-incorrect", "call-fwd-unconditional", "cannot-complete-as-dialed", "conf-getpin",
    "conf-invalid", "conf-locked", "demo-moreinfo", "demo-nomatch", "dir-nomatch", "feature-not-avail-line",
    "for", "hello-world", "im-sorry", "is-in-use", "num-was-successfully", "number-not-answering",
    "one-moment-please", "pbx-invalid", "please-try-again", "please-try-call-later", "privacy-thankyou",
    "queue-thankyou", "something-terribly-wrong", "sorry-youre-having-problems", "ss-noservice",
    "telephone-number", "to-listen-to-it", "tt-somethingwrong", "vm-goodbye", "vm-nobodyavail", "vm-pls-try-again",
    "vm-rec-name", "vm-reenterpassword", "vm-sorry", "vm-theperson", "vm-youhave", "you-entered",
)  # fmt: skip
WORDS: Final = (
    "goodbye", "hello", "sorry", "disabled", "cancelled", "removed", "hours", "number", "enabled", "calling",
)  # fmt: skip
SHORT: Final = ("stop", "no", "wait", "what", "hello", "sorry", "hang on", "nope")
BACKCHANNELS: Final = ("okay", "mm-hmm", "right", "yeah", "uh-huh", "yes", "all right")
SPELLED: Final = {("flite", "mm-hmm")}  # it says the letters
SHARES: Final = {  # of 300
    "human sentence": 100,
    "human word": 30,
    "synthetic short word": 20,
    "cough (synthesised)": 30,
    "laugh (synthesised)": 25,
    "typing (synthesised)": 20,
    "hum (synthesised)": 15,
    "backchannel (synthetic voices)": 30,
    "echo of the agent": 30,
}
MEANT: Final = frozenset(list(SHARES)[:3])
PATHS: Final = (
    (1.0,),
    (1.0, 0.0, 0.35),
    (0.6, 0.5, 0.4, 0.25, 0.15),
)  # a room's first reflections, 4 ms apart


Make = Callable[[Random, int], tuple[str, bytes]]  # (what draws it, its number) -> label, sound


@dataclass(frozen=True, slots=True)
class Echo:
    """How the agent's voice comes back."""

    db: float
    delay_ms: int
    room: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One call in which something sounds over the agent."""

    number: int
    kind: str
    label: str
    sound: bytes  # 24 kHz mono s16le; empty for an echo
    after_ms: int  # of the agent's voice
    room_dbfs: float
    echo: Echo | None = None

    @property
    def meant(self) -> bool:
        """Whether the agent shall yield."""
        return self.kind in MEANT


def cases(number: int, seed: int) -> list[Case]:
    """Return `number` cases in the shares of SHARES, in the order of their kinds. Raises BadSound, OSError."""
    chance = np.random.default_rng(seed)
    total = sum(SHARES.values())
    made: list[Case] = []
    for kind, share in SHARES.items():
        makers = _MAKERS.get(kind)
        for n in range(max(1, round(share * number / total))):
            label, sound = makers(chance, n) if makers else ("its own voice", b"")
            echo = None
            if makers is None:
                room = PATHS[int(chance.integers(len(PATHS)))]
                echo = Echo(float(chance.uniform(-30, -15)), int(chance.integers(20, 260)), room)
            after_ms = int(chance.integers(40, 200)) * 20
            made.append(
                Case(len(made) + 1, kind, label, sound, after_ms, float(chance.uniform(-75, -60)), echo)
            )
    return made


def _human(names: Sequence[str]) -> Make:
    def make(chance: Random, n: int) -> tuple[str, bytes]:
        name = names[n % len(names)]
        return name, _as_said(chance, read_sound(HUMAN / f"{name}.wav", label=name).pcm)

    return make


def _spoken(texts: Sequence[str]) -> Make:
    def make(chance: Random, n: int) -> tuple[str, bytes]:
        both = [(text, *voice) for text in texts for voice in _voices() if (voice[0], text) not in SPELLED]
        text, program, speak = both[n % len(both)]
        return f"{text} ({program})", _as_said(chance, speak(text))

    return make


def _voices() -> Iterator[tuple[str, Callable[[str], bytes]]]:
    """Yield the programs that speak for callers, each alone."""
    for program in PROGRAMS:
        voice = CallerVoice(programs=(program,))
        yield program, lambda text, voice=voice: voice.speak(text, "").pcm  # type: ignore[misc]


def _drawn(make: Callable[[Random], Floats], low_db: float, high_db: float) -> Make:
    def drawn(chance: Random, n: int) -> tuple[str, bytes]:
        return f"{make.__name__} {n + 1}", sounds.at_level(make(chance), chance.uniform(low_db, high_db))

    return drawn


def _as_said(chance: Random, sound: bytes) -> bytes:
    """Return the audible part of a sound at a level of talk."""
    span = audible_span(sound)
    part = np.frombuffer(sound, "<i2")[span.start : span.end].astype(np.float64)
    return sounds.at_level(part, chance.uniform(-30, -18))


_MAKERS: Final[dict[str, Make]] = {
    "human sentence": _human(SENTENCES),
    "human word": _human(WORDS),
    "synthetic short word": _spoken(SHORT),
    "cough (synthesised)": _drawn(sounds.cough, -30, -18),
    "laugh (synthesised)": _drawn(sounds.laugh, -30, -18),
    "typing (synthesised)": _drawn(sounds.typing, -40, -26),
    "hum (synthesised)": _drawn(sounds.hum, -34, -22),
    "backchannel (synthetic voices)": _spoken(BACKCHANNELS),
}


def returned(heard: Floats, echo: Echo) -> Floats:
    """Return what comes back of `heard` (samples of s16) by way of a room, before its delay."""
    path = np.zeros(1 + (len(echo.room) - 1) * pcm.samples_of_ms(4))
    path[:: pcm.samples_of_ms(4)] = echo.room
    path *= 10 ** (echo.db / 20) / np.sqrt(np.sum(path**2))
    return np.convolve(heard, path)[: len(heard)]
