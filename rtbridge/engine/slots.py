"""Slot grammar: what a caller tells, taken out of what was heard, before meaning is asked at all."""

from __future__ import annotations

import re
from typing import Final

from rtbridge.engine.brain_file import Slot
from rtbridge.engine.heard import day, digits, number, phone, plain

QUESTION = re.compile(
    r"(?i)^(who|what|what's|when|where|why|which|how|can|could|do|does|did|is|are|will|would) "
)
LONGEST_TEXT: Final = 60  # characters of a free text that is worth repeating to the caller


def told(slot: Slot, text: str) -> str | None:
    """Return the value of a digits, phone, date or choice slot in `text`, or None. Free text has none."""
    match slot.kind:
        case "phone":
            return phone(text)
        case "date":
            return day(text)
        case "digits":
            return (number(text, slot.length) if slot.length else digits(text)) or None
        case "choice":
            heard = f" {plain(text)} "
            named = [
                (max(heard.rfind(f" {plain(word)} ") for word in (key, *words)), key)
                for key, words in slot.choices.items()
            ]
            at, key = max(named)  # the last one named: "not the card, the SSN"
            return key if at >= 0 else None
    return None


def asked_for(slot: Slot, text: str) -> str | None:
    """Return the value of a text slot where one of its patterns finds it in `text`, or None."""
    for pattern in slot.patterns:
        if match := pattern.search(text):
            return _tidy(slot, match["value"])
    return None


def whole(slot: Slot, text: str) -> str | None:
    """Return all of `text`, tidied, as the value of a text slot; None for a question or for nothing."""
    tidy = _tidy(slot, text)
    return None if tidy is None or QUESTION.match(f"{tidy} ") else tidy


def _tidy(slot: Slot, text: str) -> str | None:
    kept = " ".join(text.split()).strip(" .,!?;:\"'…")
    for _ in range(3):  # "um, maybe something about ..." is stripped layer by layer
        before = kept
        for pattern in slot.strip:
            kept = pattern.sub("", kept).strip(" .,!?;:\"'…")
        if kept == before:
            break
    if len(kept) > LONGEST_TEXT:
        kept = kept[:LONGEST_TEXT].rpartition(" ")[0] or kept[:LONGEST_TEXT]
    if not any(c.isalpha() for c in kept):
        return None
    keep_capitals = kept.split()[0] in {"I", "I'm"} or kept.isupper()
    return kept if keep_capitals else kept[0].lower() + kept[1:]
