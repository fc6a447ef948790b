"""Word error rate: what the upstream's ears understood of a caller, against the words that the story says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_WORD: Final = re.compile(r"[\w']+")


@dataclass(frozen=True, slots=True)
class WordErrors:
    """How many words of a caller were misheard: wrong, left out or put in."""

    wrong: int
    said: int

    @property
    def rate(self) -> float:
        """Return the share; above 1 where more was understood than said."""
        return round(self.wrong / self.said, 4)


def words_of(text: str) -> list[str]:
    """Return the words of a text without case and punctuation."""
    return [word.replace("'", "") for word in _WORD.findall(text.casefold().replace("\u2019", "'"))]


def word_errors(said: str, understood: str) -> WordErrors:
    """Return the least number of words to change, leave out or put in to make what was said of what was understood."""
    right, seen = words_of(said), words_of(understood)
    row = list(range(len(seen) + 1))
    for n, word in enumerate(right, start=1):
        above, row[0] = row[0], n
        for m, other in enumerate(seen, start=1):
            above, row[m] = row[m], min(above + (word != other), row[m] + 1, row[m - 1] + 1)
    return WordErrors(row[-1], len(right))
