"""What was heard, made comparable: text for matching, and the numbers, phones and dates in it.

Ears write what is said in many ways: "206-135-1246", "Two oh six, one three five, twelve forty six", "May
1st, 1990". Slots want one. Everything here is a pure function of the text and English only.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final, Literal

UNITS: Final = {
    "zero": 0, "oh": 0, "o": 0, "nought": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6,
    "seven": 7, "eight": 8, "nine": 9,
}  # fmt: skip
TEENS: Final = {
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS: Final = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
ORDINALS: Final = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14,
    "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19,
    "twentieth": 20, "thirtieth": 30,
}  # fmt: skip
HOMOPHONES: Final = {
    "of": "oh", "owe": "oh", "l": "oh", "zix": "six", "zicks": "six", "sics": "six", "to": "two", "too": "two",
    "for": "four", "fore": "four", "ate": "eight", "won": "one", "tree": "three", "fife": "five", "niner": "nine",
}  # fmt: skip
REPEATS: Final = {"double": 2, "triple": 3}
MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
FILLERS: Final = frozenset({"um", "uh", "er", "erm", "hmm", "ah", "well", "like", "basically", "actually"})
YES: Final = frozenset(
    {"yes", "yeah", "yep", "yup", "sure", "okay", "ok", "absolutely", "definitely", "certainly", "correct", "right",
     "please", "alright", "indeed", "course", "mhm", "uh-huh", "exactly", "totally"}
)  # fmt: skip
NO: Final = frozenset({"no", "nope", "nah", "never", "wrong", "incorrect", "negative"})
# Where a caller takes back what was just said: "five five five, no wait, five five six". An "oh" before it is no zero.
CORRECTION: Final = re.compile(
    r"(?i)(?:\b(?:oh|o)\W+)?\b(no|nope|wait|weight|sorry|oops|actually|rather|correction|i mean|i meant|scratch that|"
    r"make that|make it|it should be)\b"
)
HESITATIONS: Final = frozenset({"", "wait", "weight"})  # what goes on after them may add to the number
# What is no part of a number though it has digits: "not 0124 but 0123", "the last four are", "one second".
NO_NUMBER: Final = re.compile(
    r"(?i)\bnot\b(?:(?!\b(?:but|it'?s|it is|should be|rather)\b).)*|\blast (?:one|two|three|four|five|\d)\b|"
    r"\b(?:one|two|five|\d+) (?:second|sec|moment|minute)s?\b"
)
ABOUT_NUMBERS: Final = frozenset(
    {"it", "it's", "is", "that", "that's", "the", "last", "first", "digit", "digits", "number", "are", "a", "at", "end",
     "in", "with", "my", "please", "and", "then", "but", "double", "triple", "hundred", "area", "code", "ends",
     "um", "uh"}
)  # fmt: skip
CLEARLY_YES: Final = frozenset({"yes", "yeah", "yep", "yup", "sure", "absolutely", "definitely"})
SMALL: Final = frozenset(
    {"please", "thanks", "thank", "you", "of", "do", "that", "that's", "it", "is", "it's", "the", "a", "go", "ahead",
     "i", "would", "i'd", "love", "to", "fine", "good", "i'm", "am", "not", "now", "so", "much", "very", "and"}
)  # fmt: skip


def plain(text: str) -> str:
    """Return `text` in lower case, without punctuation but apostrophes and hyphens in words, one space apart."""
    kept = re.sub(r"[^\w\s'-]|(?<!\w)[-']|[-'](?!\w)", " ", text.lower().replace("’", "'"))
    return " ".join(kept.split())


def content(text: str) -> str:
    """Return `plain(text)` without hesitations; all of it when there is nothing else."""
    words = plain(text).split()
    return " ".join(word for word in words if word not in FILLERS) or " ".join(words)


def yes_no(text: str) -> Literal["yes", "no"] | None:
    """Return what a short answer says; None when it says more than yes or no, or both, or neither."""
    words = content(text).split()
    if any(word not in YES | NO | SMALL for word in words):
        return None
    if words and words[0] in {"okay", "ok", "alright", "right"} and {"thanks", "thank"} & set(words):
        return None  # that is thanks
    says_no = any(word in NO for word in words) or words[:1] == ["not"]
    says_yes = any(word in YES - {"please"} for word in words) or words in (["please"], ["please", "do"])
    if says_no:
        return None if says_yes and words[0] in YES else "no"
    return "yes" if says_yes else None


def leaning(text: str) -> Literal["yes", "no"] | None:
    """Return what a longer answer begins or ends with: "you know what, yes" leans to yes."""
    words = content(text).split()
    ends = {words[0], words[-1]} if words else set()
    if ends & NO:
        return None if ends & CLEARLY_YES else "no"
    return "yes" if ends & CLEARLY_YES else None


def digits(text: str) -> str:
    """Return all digits said in `text`, in order, whether in figures or in words ("" for none).

    >>> digits("two oh six, double five, twelve forty six")
    '206551246'
    """
    words = re.findall(r"\d+|[a-z]+", text.lower())
    out = ""
    repeat = 1
    for i, word in enumerate(words):
        before = words[i - 1] if i else ""
        if word in REPEATS:
            repeat = REPEATS[word]
            continue
        if word.isdigit():
            out += word * repeat
        elif word in UNITS:
            if before in TENS and UNITS[word] and repeat == 1:
                out = out[:-1] + str(UNITS[word])  # "forty six" is 46, not 406
            elif word != "o" or out:
                out += str(UNITS[word]) * repeat
        elif word in TEENS or word in TENS:
            out += str(TEENS.get(word, 0) or TENS[word]) * repeat
        elif word == "hundred" and before in UNITS:
            out += "00"
        repeat = 1
    return out


def number(text: str, length: int) -> str | None:
    """Return the number of `length` digits in `text`, with what the caller took back in the same breath taken back.

    What comes after a correction stands; of what came before as much is kept as makes the number whole. Ears lose
    digits, so in a number that was not whole yet the correction must be like what it replaces.

    >>> number("two oh six, five five five, no wait, five five six, oh one two three", 10)
    '2065560123'
    >>> number("not 4320 but 4321", 4)
    '4321'
    """
    said, marker = "", ""
    for part in CORRECTION.split(NO_NUMBER.sub(" ", text)):
        if CORRECTION.fullmatch(part):
            marker = part.lower() if marker in HESITATIONS else marker
            continue
        if new := digits(part):
            if not said or (marker in HESITATIONS and len(said) + len(new) <= length):
                said += new  # it went on, maybe after a "wait"
            else:
                said = _corrected(said, new, length) if _is_all_number(part) else ""
            marker = ""
    return said if len(said) == length else None


def _corrected(said: str, new: str, length: int) -> str:
    """Return `said` with `new` in place of its end; "" when `new` does not look like what it would replace."""
    kept = max(length - len(new), 0)
    gone = said[kept:]
    again = new[: len(gone)]
    is_alike = len(gone) > 1 and (
        sorted(gone) == sorted(again) or sum(a != b for a, b in zip(gone, again, strict=False)) == 1
    )
    return said[:kept] + new if not kept or len(said) == length or is_alike else ""


def _is_all_number(text: str) -> bool:
    """Return whether a part speaks of digits alone: "206 135 1246. Sorry, I have two phones" is another matter."""
    known = ABOUT_NUMBERS | UNITS.keys() | TEENS.keys() | TENS.keys()
    return all(word.isdigit() or word in known for word in re.findall(r"\d+|[a-z']+", text.lower()))


def phone(text: str) -> str | None:
    """Return a North American number in `text` as "(206) 135-1246", or None.

    Ears write "two of six" for "two oh six". Such words count as digits only where they make ten of too few.
    """
    for read in (text, _with_homophones(text)):
        with_country = number(read, 11) if digits(read)[:1] == "1" else None
        found = with_country or number(read, 10)
        if found:
            found = found[-10:]
            return f"({found[:3]}) {found[3:6]}-{found[6:]}"
    return None


def _with_homophones(text: str) -> str:
    return " ".join(HOMOPHONES.get(word, word) for word in re.findall(r"\d+|[a-z]+", text.lower()))


def day(text: str) -> str | None:
    """Return a calendar date in `text` (month before day in figures) as "1990-05-01", or None.

    Of a date that is corrected in the same breath the last one said counts, and only if it is whole.
    """
    parts = [part for part in CORRECTION.split(NO_NUMBER.sub(" ", text)) if digits(part) or _has_month(part)]
    return _one_day(parts[-1]) if parts else None


def _has_month(text: str) -> bool:
    return any(word in MONTHS for word in re.findall(r"[a-z]+", text.lower()))


def _one_day(text: str) -> str | None:
    lower = text.lower()
    if match := re.search(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b", lower):
        return _date(int(match[1]), int(match[2]), int(match[3]))
    if match := re.search(r"\b(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})\b", lower):
        return _date(_century(match[3]), int(match[1]), int(match[2]))
    words = re.findall(r"\d+|[a-z]+", re.sub(r"(\d)(?:st|nd|rd|th)\b", r"\1", lower))
    for i, word in enumerate(words):
        if word in MONTHS or (len(word) >= 3 and word in {month[:3] for month in MONTHS} | {"sept"}):
            month = next(n for n, name in enumerate(MONTHS, 1) if name.startswith(word[:3]))
            found, rest = _day_of_month(words[i + 1 :])
            if found is None:  # "the first of May 1990"
                found, _ = _day_of_month(words[max(i - 3, 0) : i])
                rest = words[i + 1 :]
            year = digits(" ".join(rest))
            if found is not None and len(year) in (2, 4):
                return _date(_century(year), month, found)
    return None


def _day_of_month(words: list[str]) -> tuple[int | None, list[str]]:
    words = [word for word in words if word not in {"the", "of", "and"}]
    for i, word in enumerate(words[:2]):
        after = words[i + 1] if i + 1 < len(words) else ""
        if word.isdigit() and len(word) <= 2:
            return int(word), words[i + 1 :]
        if word in TENS and after in ORDINALS:
            return TENS[word] + ORDINALS[after], words[i + 2 :]
        if word in ORDINALS or word in TEENS:
            return ORDINALS.get(word) or TEENS[word], words[i + 1 :]
        if word in TENS and TENS[word] <= 30 and after in UNITS and UNITS[after]:
            return TENS[word] + UNITS[after], words[i + 2 :]
        if UNITS.get(word):
            return UNITS[word], words[i + 1 :]
    return None, words


def _century(year: str) -> int:
    if len(year) == 4:
        return int(year)
    return int(year) + (1900 if int(year) > 30 else 2000)


def _date(year: int, month: int, day_of_month: int) -> str | None:
    try:
        return date(year, month, day_of_month).isoformat()
    except ValueError:
        return None
