"""Words that a guardrail tripped over, and for how long they were audible in what the caller heard.

Where the words lie in an item's audio is known from the upstream, whose transcript comes in step with the audio
(or in proportion to its length); how much of that stretch was heard is found in the recording, to 10 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtbridge.core import pcm
from rtbridge.replay.alignment import heard_of
from rtbridge.replay.result import RunResult

LATER_MS = 1_000  # after an item was over by the journal, nothing of it is looked for


@dataclass(frozen=True, slots=True)
class Flagged:
    """One item that did not pass a guardrail."""

    item_id: str
    at_ms: int  # of the verdict
    category: str
    text: str  # what did not pass
    audible_ms: float | None  # None where the road does not know the item's audio


def flagged(result: RunResult) -> tuple[Flagged, ...]:
    """Return the agents' items over which guardrails tripped, in the order of the verdicts."""
    return tuple(
        Flagged(
            str(entry.fields["item_id"]),
            entry.at_ms,
            str(entry.fields.get("category")),
            str(entry.fields.get("text") or ""),
            _audible_ms(result, str(entry.fields["item_id"]), str(entry.fields.get("text") or "")),
        )
        for entry in result.journal
        if entry.event == "guardrail.judged"
        and entry.fields.get("state") == "fail"
        and entry.fields.get("who") != "caller"
    )


def _audible_ms(result: RunResult, item_id: str, text: str) -> float | None:
    if result.road != "virtual" or not result.made:
        return None
    made = result.made.get(item_id, b"")  # nothing, where it was stopped before the first sound of it came
    begin, end = _stretch(result.pieces.get(item_id, ()), text, pcm.samples_of(made))
    since, until = _life(result, item_id)
    part = made[begin * pcm.SAMPLE_BYTES : end * pcm.SAMPLE_BYTES]
    return heard_of(result.heard, part, since=since, until=until) * 1000 / pcm.RATE


def _stretch(pieces: Sequence[tuple[int, str]], text: str, samples: int) -> tuple[int, int]:
    """Return from where to where words lie in an item; all of it where they are not found in its transcript."""
    whole = "".join(piece for _, piece in pieces)
    text = text.removesuffix("\u2026").strip()
    place = whole.find(text) if text else -1
    if place < 0:
        return 0, samples
    return _sample_of(pieces, place, samples), _sample_of(pieces, place + len(text), samples)


def _sample_of(pieces: Sequence[tuple[int, str]], character: int, samples: int) -> int:
    """Return at which sample of an item a character of its transcript begins."""
    chars = 0
    for n, (start, piece) in enumerate(pieces):
        if character < chars + len(piece):
            end = pieces[n + 1][0] if n + 1 < len(pieces) else samples
            # White space before a word is part of its piece and not of its sound.
            before = len(piece) - len(piece.lstrip())
            share = max(0, character - chars - before) / max(1, len(piece) - before)
            return start + round(share * (end - start))
        chars += len(piece)
    return samples


def _life(result: RunResult, item_id: str) -> tuple[int, int]:
    """Return from where to where in the recording an item can have been heard."""
    since, until = 0, result.duration_ms
    for entry in result.journal:
        if entry.fields.get("item_id") != item_id:
            continue
        if entry.event == "item.begun":
            since = entry.at_ms
        elif entry.event in ("item.heard", "item.deleted"):
            until = min(until, entry.at_ms + LATER_MS)
    return pcm.samples_of_ms(since), pcm.samples_of_ms(until)
