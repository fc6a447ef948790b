"""Text for the voice: what is shown and what is said, piece by piece.

A reply is text for two readers. The page shows "call (206) 555-0142 [Store List](ID-7)"; the voice says
"call two zero six, ..." and leaves the citation out. This file cuts a text into pieces that keep both: the
pieces shown, joined, are the text to the last space, and every piece knows what is said for it. Only what
a text-to-speech front end reads wrongly is rewritten here: phone, order, card and zip numbers, which people
say digit by digit, and addresses of the web. Money, dates, times and years are left to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LONGEST: Final = 240  # characters said at once; a longer sentence is parted at a comma, or anywhere
LINE_PAUSE_MS: Final = 350
SENTENCE_PAUSE_MS: Final = 140

CITATION = re.compile(r"\[[^\[\]\n]{1,120}\]\([^()\s]{1,120}\)")
PHONE = re.compile(r"(?<![\w.])(?:\+?1[-. ]?)?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?!\d)")
IDENTIFIER = re.compile(r"\b(?=[A-Za-z0-9-]*\d)[A-Z][A-Z0-9]*(?:-[A-Za-z0-9]+)+\b")
LONG_NUMBER = re.compile(r"(?<![\w.,$€£/-])\d{5,19}(?![\w%]|[.,/-]\d)")
SHORT_CODE = re.compile(
    r"(?i)\b(?:ends? in|ending in|ending with|digits|digits are|digits:|last four|zip code|code) (?P<code>\d{3,4})\b"
)
WEB = re.compile(r"\bhttps?://[^\s<>\"]+[\w/]")
MARKS = re.compile(r"[*_`#|~]+")
CLOSERS: Final = "\"'”’)]»"
ABBREVIATIONS: Final = frozenset(
    {"mr", "mrs", "ms", "dr", "prof", "st", "mt", "jr", "sr", "vs", "etc", "e.g", "i.e", "no", "inc", "ave"}
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text without inner spaces (mostly one word), with the space that follows it."""

    shown: str
    said: str  # "" for what is not spoken


@dataclass(frozen=True, slots=True)
class Sentence:
    """Pieces that are spoken in one breath, and the silence that follows them."""

    pieces: tuple[Piece, ...]
    pause_ms: int

    @property
    def said(self) -> str:
        """Return the text for the voice."""
        return " ".join(piece.said for piece in self.pieces if piece.said)


def digit_by_digit(text: str) -> str:
    """Return the digits and letters of `text` one by one in words, a comma where a separator stood.

    >>> digit_by_digit("206-555")
    'two zero six, five five five'
    """
    groups = [group for group in re.split(r"[^A-Za-z0-9]+", text) if group]
    return ", ".join(
        " ".join(DIGITS[int(c)] if c.isdigit() else c.upper() for c in group) for group in groups
    )


def _web(address: str) -> str:
    bare = address.split("://", 1)[1].rstrip("/")
    return bare.replace(".", " dot ").replace("/", " slash ").replace("-", " dash ")


def _spans(text: str) -> list[tuple[int, int, str]]:
    """Return (start, end, said) of what is not read as it is written, in order, without overlaps."""
    found: list[tuple[int, int, str]] = []

    def take(start: int, end: int, said: str) -> None:
        if not any(start < e and s < end for s, e, _ in found):
            found.append((start, end, said))

    for match in CITATION.finditer(text):
        take(*match.span(), "")
    for match in WEB.finditer(text):
        take(*match.span(), _web(match.group()))
    for pattern in (PHONE, IDENTIFIER, LONG_NUMBER):
        for match in pattern.finditer(text):
            take(*match.span(), digit_by_digit(match.group()))
    for match in SHORT_CODE.finditer(text):
        take(*match.span("code"), digit_by_digit(match.group("code")))
    return sorted(found)


def pieces(text: str) -> list[Piece]:
    """Return `text` in pieces; the `shown` of all of them, joined, are `text`."""
    out: list[Piece] = []
    at = 0
    for start, end, said in [*_spans(text), (len(text), len(text), "")]:
        out += _plain(text[at:start], first=not out)
        if end > start:
            out.append(Piece(text[start:end], said))
        at = end
    return _joined(out) or ([Piece(text, "")] if text else [])


def _plain(text: str, *, first: bool) -> list[Piece]:
    words = re.findall(r"\s*\S+\s*" if first else r"\S+\s*|^\s+", text)
    return [Piece(word, MARKS.sub("", word).strip()) for word in words]


def _joined(found: list[Piece]) -> list[Piece]:
    """Join a special piece with the punctuation and space that follow it, so that no piece is a lone mark."""
    out: list[Piece] = []
    for piece in found:
        glued = out and not out[-1].shown[-1:].isspace()
        if glued and not any(c.isalnum() for c in piece.shown):
            out[-1] = Piece(out[-1].shown + piece.shown, out[-1].said + piece.said)
        elif glued and not any(c.isalnum() for c in out[-1].shown):
            out[-1] = Piece(out[-1].shown + piece.shown, piece.said)
        else:
            out.append(piece)
    return out


def sentences(text: str) -> list[Sentence]:
    """Return `text` as sentences for the voice; a line end is a pause, as in a poem."""
    found = pieces(text)
    out: list[Sentence] = []
    current: list[Piece] = []
    size = 0

    def close(pause_ms: int) -> None:
        nonlocal size
        out.append(Sentence(tuple(current), pause_ms))
        current.clear()
        size = 0

    for i, piece in enumerate(found):
        current.append(piece)
        size += len(piece.said) + 1
        following = found[i + 1].said if i + 1 < len(found) else ""
        if "\n" in piece.shown[len(piece.shown.rstrip()) :]:
            close(LINE_PAUSE_MS)
        elif _ends_sentence(piece.said, following):
            close(SENTENCE_PAUSE_MS)
        elif size > LONGEST or (size > LONGEST // 2 and piece.said.endswith((",", ";", ":"))):
            close(0)
    if current:
        close(0)
    if out:
        out[-1] = Sentence(out[-1].pieces, 0)
    return out


def _ends_sentence(said: str, following: str) -> bool:
    bare = said.rstrip(CLOSERS)
    if not bare.endswith((".", "!", "?", "…")):
        return False
    if bare.endswith("."):
        word = bare[:-1].lstrip("(\"'“‘")
        if word.lower() in ABBREVIATIONS or (len(word) == 1 and word.isupper()):
            return False
    return not following[:1].islower()
