"""What a value comes to, however it is spelled: "double five", "55" and "fifty five" are the same figures.

Two texts hold the same value where their tokens come to the same string. Nothing here knows what is sensitive.
"""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_ORDINALS: Final = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
)
_DECADES: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_FIGURES: Final = {  # a word of a spoken number -> its digits
    **{word: str(n) for n, word in enumerate(_UNITS.split())},
    **{word: str(n) for n, word in enumerate(_ORDINALS.split(), 1)},
    **{word: str(n) for n, word in enumerate(_DECADES.split(), 2)},
    **{"oh": "0", "o": "0", "nought": "0", "thirtieth": "30", "hundred": "00", "thousand": "000"},
}
_TENS: Final = frozenset(_DECADES.split())
_TIMES: Final = {"double": 2, "triple": 3}
_SILENT: Final = frozenset(("of", "the", "and", "st", "nd", "rd", "th", "dash", "hyphen"))
_MONTH_NAMES: Final = "january february march april may june july august september october november december"
_MONTHS: Final = tuple(_MONTH_NAMES.split())
_TOKEN: Final = re.compile(r"[^\W\d_]+|\d+|@|\.(?=\w)")


def tokens_of(text: str) -> list[tuple[int, int, str]]:
    """Return the words of a text as (start, end, what it comes to): figures for numbers, nothing for filling."""
    tokens: list[tuple[int, int, str]] = []
    times, tens = 1, False
    for match in _TOKEN.finditer(text.lower()):
        word = match.group()
        if word in _TIMES:
            times = _TIMES[word]
            tokens.append((match.start(), match.end(), ""))
            continue
        said = "" if word in _SILENT else {"@": "at", ".": "dot"}.get(word) or _FIGURES.get(word, word)
        said *= times if said.isdigit() else 1
        if tens and not (len(said) == 1 and said.isdigit() and said != "0"):  # "eighty" alone is 80
            start, end, before = tokens[-1]
            tokens[-1] = (start, end, f"{before}0")
        tokens.append((match.start(), match.end(), said))
        times, tens = 1, word in _TENS
    if tens:
        start, end, before = tokens[-1]
        tokens[-1] = (start, end, f"{before}0")
    return tokens


def forms_of(text: str) -> set[str]:
    """Return what a value may come to when it is written or said."""
    plain = "".join(said for _, _, said in tokens_of(text))
    forms = {plain, plain.replace("dot", "").replace("at", "") if "@" in text else plain}
    if iso := re.fullmatch(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})\s*", text):
        forms |= _dates(iso[1], int(iso[2]), int(iso[3]))
    elif other := re.fullmatch(r"\s*(\d{1,2})[/.](\d{1,2})[/.](\d{4})\s*", text):
        forms |= _dates(other[3], int(other[1]), int(other[2])) | _dates(
            other[3], int(other[2]), int(other[1])
        )
    elif 10 <= len(figures := re.sub(r"\D", "", text)) <= 15 and not re.search(r"[^\W\d_]", text):
        forms |= {figures, figures.removeprefix("1")}  # a phone number with and without its country
    return forms


def _dates(year: str, month: int, day: int) -> set[str]:
    if not 1 <= month <= 12:
        return set()
    name = _MONTHS[month - 1]
    years = (year, year[2:])
    return {
        form
        for y in years
        for form in (
            *(f"{m}{day}{y}" for m in (name, name[:3])),
            *(f"{day}{m}{y}" for m in (name, name[:3])),
            f"{month:02}{day:02}{y}", f"{month}{day}{y}", f"{day:02}{month:02}{y}", f"{day}{month}{y}",
            f"{y}{month:02}{day:02}",
        )
    } | {f"{name}{day}", f"{day}{name}", f"{year[:2]}{year[2:]}" if year[2] != "0" else f"{year}"}  # fmt: skip
