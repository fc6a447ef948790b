"""Values as they are spoken: digits, phone numbers, dates and addresses found in a line of a transcript.

A number that is read back digit by digit may be written "2 0 6, 5 5 5", "206-555" or "two zero six, five five five".
All of them are one run of digits; a word that is no digit ends a run, so that the four digits of a card are not found
in the middle of a phone number.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

_DIGITS: Final = {
    word: str(value)
    for value, words in enumerate(
        ("zero oh o nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    )
    for word in words.split()
}
_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_TEENS: Final = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_UNITS: Final = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_MONTHS: Final = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_ORDINALS: Final = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
]
_SHORT: Final = {
    "st": "street", "ave": "avenue", "rd": "road", "blvd": "boulevard", "dr": "drive", "ln": "lane",
    "apt": "apartment",
    "ct": "court", "pl": "place", "sq": "square", "hwy": "highway",
    "n": "north", "s": "south", "e": "east", "w": "west",
}  # fmt: skip

_STATE_NAMES: Final = """
al=alabama ak=alaska az=arizona ar=arkansas ca=california co=colorado ct=connecticut de=delaware fl=florida ga=georgia
dc=district_of_columbia hi=hawaii id=idaho il=illinois in=indiana ia=iowa ks=kansas ky=kentucky la=louisiana me=maine
md=maryland ma=massachusetts mi=michigan mn=minnesota ms=mississippi mo=missouri mt=montana ne=nebraska nv=nevada
nh=new_hampshire nj=new_jersey nm=new_mexico ny=new_york nc=north_carolina nd=north_dakota oh=ohio ok=oklahoma
or=oregon pa=pennsylvania ri=rhode_island sc=south_carolina sd=south_dakota tn=tennessee tx=texas ut=utah vt=vermont
va=virginia wa=washington wv=west_virginia wi=wisconsin wy=wyoming
"""
_STATES: Final = {short: name.replace("_", " ") for short, name in re.findall(r"(\w\w)=(\w+)", _STATE_NAMES)}
# Where a speaker takes back what was just said. An "oh" before it is no zero.
_CORRECTION: Final = re.compile(
    r"(?i)(?:\b(?:oh|o)\W+)?\b(?:no|nope|wait|weight|sorry|oops|actually|rather|correction|i mean|i meant|scratch that|"
    r"make that|make it)\b"
)
# What is no part of a number though it has digits: "not 0124", "the last four are", "one second".
_NO_NUMBER: Final = re.compile(
    r"(?i)\bnot\b(?:(?!\b(?:but|it'?s|it is|should be|rather)\b).)*|\blast (?:one|two|three|four|five|\d)\b|"
    r"\b(?:one|two|five|\d+) (?:second|sec|moment|minute)s?\b"
)


def words_of(text: str) -> list[str]:
    """Return the words of `text` in lower case, hyphens parted, apostrophes kept."""
    return re.findall(r"\d+|[^\W\d_](?:[^\W\d_]|')*", text.lower().replace("’", "'"))


def runs(text: str) -> list[str]:
    """Return the runs of digits in `text`, in figures or in words.

    >>> runs("I have two zero six, 555-0123, ending in 4 4 4 4")
    ['2065550123', '4444']
    """
    found = [""]
    for word in words_of(text):
        if word.isdigit():
            found[-1] += word
        elif word in _DIGITS:
            found[-1] += _DIGITS[word]
        elif found[-1]:
            found.append("")
    return [run for run in found if run]


def numbers(text: str, length: int) -> list[str]:
    """Return the runs of digits in `text`; what is taken back in the same breath is taken back.

    What comes after a correction stands, and of what came before as much as makes `length` digits.

    >>> numbers("two zero six, five five five, no wait, five five six, zero one two three", 10)
    ['2065560123']
    """
    found: list[str] = []
    for part in _CORRECTION.split(_NO_NUMBER.sub(" ", text)):
        new = runs(part)
        if found and new and len(found[-1]) + len(new[0]) >= length >= len(new[0]):
            new[0] = found.pop()[: length - len(new[0])] + new[0]
        found += new
    return found


def phone_in(text: str) -> str | None:
    """Return the ten digits of a North American number in `text`, as corrected in it, or None."""
    for length in (11, 10):  # the country's 1 first, so that a correction is not counted from it
        found = numbers(text, length)
        whole = "".join(run for run in found if len(run) >= 3)
        for run in (*found, whole):
            if len(run) == length and (length == 10 or run[0] == "1"):
                return run[-10:]
    return None


def dates_in(text: str) -> list[str]:
    """Return the dates (YYYY-MM-DD) named in `text`, in figures or with the month's name."""
    found: list[str | None] = [
        _date(int(year), int(month), int(day))
        for year, month, day in re.findall(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b", text)
    ]
    found += [
        _date(int(year), int(month), int(day))
        for month, day, year in re.findall(r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b", text)
    ]
    words = [
        word
        for word in words_of(re.sub(r"(?i)(\d)(?:st|nd|rd|th)\b", r"\1", text))
        if word not in ("of", "the")
    ]
    for at, word in enumerate(words):
        if word in _MONTHS:
            month = _MONTHS.index(word) + 1
            after = words[at + 1 :]
            day, year = _day_before(words[:at]), _year(after)  # "the first of May 1990"
            if day is None or year is None:
                day, after = _number_below_32(after)
                year = _year(after)
            if day is not None and year is not None:
                found.append(_date(year, month, day))
    return [one for one in found if one is not None]


def state_in(state: str, line: str) -> bool:
    """Return whether `line` names `state`: "WA" and "Washington" are the same, whichever way round.

    One that is not in the table is named as it is.
    """
    code = state.strip().lower().replace(".", "")
    name = _STATES.get(code, state.lower())
    code = next((short for short, long in _STATES.items() if long == name), code)
    if f" {' '.join(words_of(name))} " in f" {' '.join(words_of(line))} ":
        return True
    # As words in small letters "or" and "in" are no states.
    spelt = r"[.\s]?".join(map(re.escape, code.upper()))
    return re.search(rf"\b{spelt}\b", line) is not None


def address_in(street: str, city: str, postal_code: str, state: str, line: str) -> bool:
    """Return whether `line` names all of an address, in words and figures; `state` may be "" (it has none)."""
    if state and not state_in(state, line):
        return False
    there = _full(line)
    digits = set(runs(line)) | set(re.findall(r"\d+", line))
    whole = "".join(runs(line))
    for word in _full(f"{street} {city} {postal_code}"):
        if word.isdigit():
            if word not in digits and not (len(word) >= 4 and word in whole):
                return False
        elif word not in there:
            return False
    return True


def _full(text: str) -> list[str]:
    return [_SHORT.get(word, word) for word in words_of(text)]


def _number_below_32(words: list[str]) -> tuple[int | None, list[str]]:
    first, second = (words[0] if words else ""), (words[1] if len(words) > 1 else "")
    if first.isdigit() and len(first) <= 2:
        return int(first), words[1:]
    for tens in ("twenty", "thirty"):
        if first == tens:
            base = (_TENS.index(tens) + 2) * 10
            for names in (_ORDINALS, _UNITS):
                if second in names[:9]:
                    return base + names.index(second) + 1, words[2:]
            return base, words[1:]
    if first == "thirtieth":
        return 30, words[1:]
    for names, base in ((_ORDINALS, 1), (_UNITS, 1), (_TEENS, 10)):
        if first in names:
            return names.index(first) + base, words[1:]
    return None, words


def _day_before(words: list[str]) -> int | None:
    for size in (2, 1):
        if len(words) >= size:
            day, rest = _number_below_32(words[-size:])
            if day is not None and not rest:
                return day
    return None


def _year(words: list[str]) -> int | None:
    """Return the year that `words` begin with: 1990, "nineteen ninety", "two thousand five", "1 9 9 0"."""
    if not words:
        return None
    if re.fullmatch(r"(19|20)\d\d", words[0]):
        return int(words[0])
    if words[0] in ("nineteen", "twenty"):
        last = _two_digits(words[1:3])
        return None if last is None else (19 if words[0] == "nineteen" else 20) * 100 + last
    if words[:2] == ["two", "thousand"]:
        rest = [word for word in words[2:4] if word != "and"]
        return 2000 + (_two_digits(rest) or 0)
    spelt = runs(" ".join(words[:4]))
    return int(spelt[0]) if spelt and re.fullmatch(r"(19|20)\d\d", spelt[0]) else None


def _two_digits(words: list[str]) -> int | None:
    first, second = (words[0] if words else ""), (words[1] if len(words) > 1 else "")
    if first.isdigit() and len(first) == 2:
        return int(first)
    if first in _TEENS:
        return 10 + _TEENS.index(first)
    if first in _TENS:
        return (_TENS.index(first) + 2) * 10 + (_UNITS.index(second) + 1 if second in _UNITS else 0)
    if first in ("oh", "o", "zero") and second in _UNITS:
        return _UNITS.index(second) + 1
    return _UNITS.index(first) + 1 if first in _UNITS else None


def _date(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
