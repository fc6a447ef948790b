"""Barge-in: what an agent lets itself be interrupted by, and the verdict on one sound while it speaks.

Three things are weighed: the sound (voicing.py), whether it is the agent's own voice coming back (echo.py), and words
where the upstream gives some before the turn is over: of a voice, they decide. Without them a short word is meant,
since a "stop!" that is not obeyed is worse than an "okay" that is; who prefers it otherwise says `sensitivity="low"`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from rtbridge.core.voicing import Sound

Sensitivity = Literal["low", "medium", "high"]

BACKCHANNELS: Final = (
    "mm-hmm", "mhm", "m", "mm", "mmm", "hmm", "hm", "uh-huh", "aha", "yeah", "yes", "yep", "yup", "ok", "okay", "right",
    "all right", "alright", "sure", "i see", "got it",
)  # fmt: skip
SENSITIVITIES: Final = ("low", "medium", "high")

LEAST_VOICED_MS: Final = {"low": 120, "medium": 80, "high": 50}
LEAST_MS: Final = 120  # no word is shorter
LONG_MS: Final = 650  # longer than a backchannel lasts: somebody speaks
OVER_MS: Final = 120  # of silence, and a word is over
ECHO: Final = 0.5  # likeness to what was given, from which on it is an echo
ECHO_SHORT: Final = 0.5  # more, of a sound of no length: two short voices are like each other by chance
SURE_MS: Final = 165
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


class Verdict(Enum):
    """What a sound over the agent's words was; the value is the reason in the journal."""

    REAL = "real"
    ECHO = "echo"
    BACKCHANNEL = "backchannel"
    NOISE = "noise"
    TOO_SHORT = "too short"
    DROPPED = "dropped"  # the caller's side took it back


@dataclass(frozen=True, slots=True)
class BargeIn:
    """How one agent may be interrupted."""

    sensitivity: Sensitivity = "medium"  # low: only by who goes on speaking; high: by the shortest voice
    backchannels: tuple[str, ...] = BACKCHANNELS  # words that mean "go on"
    uninterruptible: bool | tuple[str, ...] = False  # all that it says, or these sentences of it

    def is_backchannel(self, words: str) -> bool:
        """Whether `words` are nothing but words that mean "go on"."""
        return bool(_pattern(self.backchannels).fullmatch(_plain(words)))

    def protects(self, text: str, heard: int) -> bool:
        """Whether what sounds when `heard` characters of an agent's `text` were heard may not be interrupted."""
        if isinstance(self.uninterruptible, bool):
            return self.uninterruptible
        return any(
            found.start() <= heard < found.end()
            for phrase in self.uninterruptible
            for found in _spoken(phrase).finditer(text)
        )


def judge(
    sound: Sound,
    likeness: float,
    words: str,
    settings: BargeIn,
    *,
    mid_sentence: bool,
    due: bool,
    echoing: bool = False,
) -> Verdict | None:
    """Return what it is; None as long as that is open, which it never is once it is `due`.

    `mid_sentence`: the agent has more to say, and only then "okay" means "go on". `echoing`: it has come back before in
    this call, and a shorter piece of it is known for what it is.
    """
    doubt = 0.0 if echoing else ECHO_SHORT * max(0.0, 1 - sound.span_ms / SURE_MS)
    if sound.span_ms and likeness >= ECHO + doubt:
        return Verdict.ECHO
    over = due or (sound.span_ms > 0 and sound.quiet_ms >= OVER_MS)
    least_ms = LEAST_VOICED_MS[settings.sensitivity]
    is_voice = sound.voiced_ms >= least_ms and sound.span_ms >= LEAST_MS and not sound.laughed
    goes_on = mid_sentence and (settings.is_backchannel(words) if _plain(words) else sound.hummed)
    if is_voice and not goes_on and not sound.hummed and sound.span_ms >= LONG_MS:
        return Verdict.REAL
    if not over:
        return None
    if not is_voice:
        return Verdict.NOISE
    if mid_sentence and (goes_on or sound.hummed):
        return Verdict.BACKCHANNEL
    if settings.sensitivity == "low" and sound.quiet_ms >= OVER_MS and not _plain(words):
        return Verdict.TOO_SHORT
    return Verdict.REAL if due else None  # a short word: words may yet come for it


def _plain(words: str) -> str:
    return " ".join(_WORD.findall(words.casefold()))


@functools.lru_cache(maxsize=64)
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    plain = sorted({_plain(phrase) for phrase in phrases} - {""}, key=len, reverse=True)
    one = "|".join(re.escape(phrase) for phrase in plain)
    return re.compile(f"(?:{one})(?: (?:{one}))*" if plain else r"(?!)")


@functools.lru_cache(maxsize=256)
def _spoken(phrase: str) -> re.Pattern[str]:
    """Return what finds a sentence in an agent's text, however it is spaced and punctuated, with what follows it."""
    words = [re.escape(word) for word in _WORD.findall(phrase)]
    together = r"[\W_]+".join(words)
    return re.compile(rf"\b{together}\b\W*" if words else r"(?!)", re.IGNORECASE)
