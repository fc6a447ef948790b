"""Lines with blanks: filled from what is known, or not usable at all.

`{topic}` takes a slot or a path into a tool's result (`{orders.0.id}`); `{phone|digits}` reads it digit by
digit, `{birth|date}` a date in words. A line with a blank that nothing fills is never said half.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from rtbridge.engine.heard import MONTHS
from rtbridge.engine.spoken import digit_by_digit

BLANK = re.compile(r"\{([A-Za-z_][\w.]*)(?:\|(digits|date))?\}")


def look_up(path: str, known: Any) -> Any:
    """Return what `path` ("order.items.0.name") leads to in `known`, or None."""
    for step in path.split("."):
        if isinstance(known, Mapping):
            known = known.get(step)
        elif isinstance(known, list) and step.isdigit() and int(step) < len(known):
            known = known[int(step)]
        else:
            return None
    return known


def fill(line: str, known: Mapping[str, Any]) -> str | None:
    """Return `line` with its blanks filled, or None when one cannot be."""
    missing = False

    def value(blank: re.Match[str]) -> str:
        nonlocal missing
        found = look_up(blank[1], known)
        if found is None or isinstance(found, (Mapping, list)):
            missing = True
            return ""
        if blank[2] == "digits":
            return digit_by_digit(str(found))
        return _in_words(str(found)) if blank[2] == "date" else str(found)

    filled = BLANK.sub(value, line)
    return None if missing else filled


def _in_words(day: str) -> str:
    """Return "2024-09-16" as "September 16, 2024"; anything else as it is."""
    try:
        there = date.fromisoformat(day)
    except ValueError:
        return day
    return f"{MONTHS[there.month - 1].capitalize()} {there.day}, {there.year}"


def fill_all(value: Any, known: Mapping[str, Any]) -> Any:
    """Return `value` (from a TOML table) with all blanks filled; a lone blank keeps the type it stands for.

    What cannot be filled is left out of tables and lists, and is None at the top.
    """
    if isinstance(value, str):
        if whole := BLANK.fullmatch(value):
            return look_up(whole[1], known)
        return fill(value, known)
    if isinstance(value, Mapping):
        filled = {key: fill_all(one, known) for key, one in value.items()}
        return {key: one for key, one in filled.items() if one is not None}
    if isinstance(value, list):
        return [one for one in (fill_all(one, known) for one in value) if one is not None]
    return value


def choose(lines: Sequence[str], known: Mapping[str, Any], *, turn: int, not_this: Sequence[str] = ()) -> str:
    """Return the line of this `turn` that can be filled and is none of `not_this`; "" when there is none.

    The same turn gives the same line. A line of `not_this`, said before, is said again only if there is no other.
    """
    usable = [filled for line in lines if (filled := fill(line, known)) is not None]
    if not usable:
        return ""
    rotated = [usable[(turn + i) % len(usable)] for i in range(len(usable))]
    return next((line for line in rotated if line not in not_this), rotated[0])
