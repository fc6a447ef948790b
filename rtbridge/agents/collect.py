"""Collect and confirm: a value counts when it was read back to the caller and the caller said that it is right.

Whether that happened is not the model's to say. It is seen in what was heard: a line of an agent holds the value,
and the caller's next words affirm and correct nothing. A newer read-back of another value takes its place, a
correction takes it away. A tool that needs such values asks `require_confirmed`; its refusal tells the model what to
say, so that it can talk its way out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal

from rtbridge.agents.context import CallContext, Said
from rtbridge.agents.spoken_values import address_in, dates_in, numbers, phone_in, runs, words_of
from rtbridge.errors import Refused

Kind = Literal["phone", "date", "digits", "address"]
_ADDRESS: Final = ("street", "city", "postal_code", "state")
STATE: Final = "collected"  # in CallContext.state: name -> the value that was confirmed
TRANSCRIPT_WAIT_S: Final = (
    2.0  # a transcript of the caller comes after the words, sometimes after the tool call
)
_POLL_S: Final = 0.05

# What is a yes wherever it stands, and what is one only in a line that asks nothing: "are you sure?" is none.
_YES: Final = frozenset(
    ["yes", "yeah", "yep", "yup", "yea", "correct", "exactly", "indeed", "affirmative", "mhm"]
)
_YES_UNLESS_ASKED: Final = frozenset(
    ["sure", "right", "absolutely", "definitely", "okay", "ok", "perfect", "certainly", "precisely", "good"]
)  # fmt: skip
_THATS_IT: Final = re.compile(r"that's (it|the|all (right|correct)|fine|me)\b")
_ASKS: Final = re.compile(
    r"\?|\b(who|what|why|when|where|how|which|whose)\b|"
    r"\b(are|is|do|does|did|can|could|would|will|have|has) (you|it|that|this|they|we|i|he|she)\b"
)
_NO: Final = frozenset(
    [
        "no",
        "nope",
        "nah",
        "not",
        "isn't",
        "wasn't",
        "wrong",
        "incorrect",
        "actually",
        "wait",
        "but",
        "except",
        "change",
        "instead",
        "sorry",
        "mistake",
        "different",
        "don't",
        "doesn't",
        "never",
        "almost",
    ]
)


class Standing(Enum):
    """What became of a value in the conversation."""

    UNREAD = "unread"
    READ = "read"  # and not answered yet, or not clearly
    CONFIRMED = "confirmed"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing to collect. `cue` is a pattern that a line must match to be about it, for short numbers."""

    name: str
    kind: Kind
    cue: str = ""

    def normal(self, value: Any) -> str | None:
        """Return the value in its one spelling, None when it is none: phone "(206) 555-0123", date YYYY-MM-DD.

        An address is a mapping with street, city and postal_code, which must have words to read, and perhaps a state.
        """
        if self.kind == "address":
            if not isinstance(value, Mapping):
                return None
            parts = [str(value.get(key) or "").strip() for key in _ADDRESS]
            read = all(words_of(part) for part in parts[:3]) and not any("\n" in part for part in parts)
            return "\n".join(parts) if read else None
        text = str(value)
        if self.kind == "phone":
            ten = phone_in(text)
            return f"({ten[:3]}) {ten[3:6]}-{ten[6:]}" if ten else None
        if self.kind == "date":
            return next(iter(dates_in(text)), None)
        return text if text.isdecimal() and text.isascii() else None

    def named_in(self, value: str, line: str) -> bool | None:
        """Return whether `line` holds the normal `value`; None when it is not about this piece at all."""
        if self.cue and not re.search(self.cue, line, re.IGNORECASE):
            return None
        if self.kind == "phone":
            found = phone_in(line)
            return None if found is None else found == "".join(runs(value))
        if self.kind == "date":
            days = dates_in(line)
            return (value in days) if days else None
        if self.kind == "digits":
            same_length = [run for run in numbers(line, len(value)) if len(run) == len(value)]
            return (value in same_length) if same_length else None
        street, city, postal_code, state = value.split("\n")
        return True if address_in(street, city, postal_code, state, line) else None

    @property
    def how(self) -> str:
        """Return how it is read back, as an instruction."""
        return "read it back digit by digit" if self.kind in ("phone", "digits") else "read it back"


def affirms(line: str) -> bool:
    """Return whether the caller's `line` says yes and corrects nothing."""
    plain = line.lower().replace("’", "'").replace("the one", "it")
    words = set(words_of(plain))
    if _NO & words or runs(plain):
        return False
    return bool(_YES & words) or (
        not _ASKS.search(plain) and bool(_YES_UNLESS_ASKED & words or _THATS_IT.search(plain))
    )


def corrects(line: str) -> bool:
    """Return whether the caller's `line` takes something back."""
    return bool(_NO & set(words_of(line)))


def standing(piece: Piece, value: str, transcript: Sequence[Said]) -> Standing:
    """Return what became of the normal `value` of `piece` in `transcript` ((who, heard) pairs)."""
    now = Standing.UNREAD
    for who, line in transcript:
        if not line.strip():
            continue
        if who != "user":
            named = piece.named_in(value, line)
            if named:
                now = Standing.CONFIRMED if now is Standing.CONFIRMED else Standing.READ
            elif named is False:  # another value was read back since
                now = Standing.CORRECTED if now is not Standing.UNREAD else now
        elif now is Standing.READ:
            if affirms(line) or (piece.named_in(value, line) and not corrects(line)):
                now = Standing.CONFIRMED
            else:
                now = Standing.CORRECTED
        elif now is Standing.CONFIRMED and piece.named_in(value, line) is False and corrects(line):
            now = Standing.CORRECTED
    return now


async def require_confirmed(context: CallContext, values: Sequence[tuple[Piece, Any]]) -> None:
    """Raise Refused for the first value that was not read back and confirmed; keep all in `context.state` else."""
    await heard(context)
    transcript = context.transcript()
    kept: dict[str, str] = context.state.setdefault(STATE, {})
    found: dict[str, str] = {}
    for piece, value in values:
        normal = piece.normal(value)
        if normal is None:
            raise Refused(f"{piece.name} is not one: ask the caller for it again.")
        now = standing(piece, normal, transcript)
        if now is Standing.CONFIRMED or (now is Standing.UNREAD and kept.get(piece.name) == normal):
            found[piece.name] = normal
            continue
        kept.pop(piece.name, None)
        what = "was corrected since" if now is Standing.CORRECTED else "was not read back and confirmed yet"
        raise Refused(
            f"{piece.name} {what}: {piece.how} and ask whether it is right. After a yes, call this again."
        )
    kept.update(found)


async def heard(context: CallContext) -> None:
    """Wait until the caller's last words are written down, for 2 s at most."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + TRANSCRIPT_WAIT_S
    while loop.time() < until_s:
        callers = [said for who, said in context.transcript() if who == "user"]
        if not callers or callers[-1].strip():
            return
        await asyncio.sleep(_POLL_S)
