"""Choosing from a bank of texts the one that is about what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rtbridge.engine.brain_file import Entry
from rtbridge.engine.heard import plain
from rtbridge.engine.meaning import Meaning

ABOUT_ENOUGH: Final = 0.46  # likeness from which an entry counts as being about a subject


def about(entries: Sequence[Entry], subject: str, meaning: Meaning) -> Entry | None:
    """Return the entry that is about `subject`: by a word of it first, by meaning else; None for neither."""
    words = _stems(subject)
    by_word = [(len(words & _stems(" ".join(entry.about))), -i) for i, entry in enumerate(entries)]
    count, minus_i = max(by_word)
    if count:
        return entries[-minus_i]
    subjects = [(about, entry) for entry in entries for about in entry.about]
    if not subjects:
        return None
    likeness = meaning.among(subject, [about for about, _ in subjects])
    best = int(likeness.argmax())
    return subjects[best][1] if likeness[best] >= ABOUT_ENOUGH else None


def is_named(entries: Sequence[Entry], subject: str) -> bool:
    """Return whether `subject` is one of the subjects of `entries`, word for word but for its article."""
    return any(_bare(subject) == _bare(about) for entry in entries for about in entry.about)


def _bare(subject: str) -> str:
    words = plain(subject).split()
    return " ".join(words[1:] if words[:1] in (["a"], ["an"], ["the"], ["my"]) else words)


SMALL_WORDS = frozenset(
    {"a", "an", "the", "my", "our", "your", "his", "her", "their", "of", "in", "on", "at", "and", "or", "with",
     "for", "to", "some", "it", "big", "new", "old", "little"}
)  # fmt: skip


def _stems(text: str) -> set[str]:
    """Return the words of `text` that carry meaning, without the commonest endings."""
    out = set()
    for word in plain(text).replace("-", " ").split():
        if word in SMALL_WORDS:
            continue
        bare = word.removesuffix("'s")
        for ending, instead in (
            ("ies", "y"),
            ("ves", "f"),
            ("es", ""),
            ("s", ""),
            ("ing", ""),
            ("y", ""),
            ("e", ""),
        ):
            if bare.endswith(ending) and len(bare) - len(ending) >= 3:
                bare = bare.removesuffix(ending) + instead
                break
        out.add(bare.rstrip("y") if len(bare) > 3 else bare)
    return out
