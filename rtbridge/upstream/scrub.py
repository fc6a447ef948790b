"""What must not stand in a file that others will read: keys, and values that a tool's schema calls sensitive.

A parameter is sensitive when its schema says `"x-sensitive": true`. A value that was once given for one is tainted: it
is masked in everything of its call, before and after, as written and as spoken: (206) 555-0101, 2065550101,
"two oh six, five five five …". A mask tells what it hides and nothing of it. Keys are masked by their looks, and
those of the settings by their very text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from rtbridge.upstream.spelling import forms_of, tokens_of

MASK: Final = re.compile(r"\[masked [^\[\]]{1,80}\]")
KEY: Final = "[masked key]"
SENSITIVE: Final = "x-sensitive"
MAX_TAINTED: Final = 256  # values of one call
LEAST_CHARS: Final = 3  # of a value: to mask every "1" would hide what nobody wanted hidden
MAX_DEPTH: Final = 32
_IDS: Final = frozenset(
    (
        "type",
        "event_id",
        "item_id",
        "response_id",
        "call_id",
        "previous_item_id",
        "id",
        "conversation_id",
        "object",
    )
)

_KEYS: Final = re.compile(
    r"\b(?:sk-|ek_|rk_)[A-Za-z0-9_-]{8,}|(?<=Bearer )[^\s,;\"'\\]+|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]{8,}",
    re.IGNORECASE,
)
_LEAST_FIGURES: Final = 4  # in a row, that tell enough of a number to be masked
_LONG_NUMBER: Final = 6


class Scrubber:
    """Masks one call's keys and tainted values."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """`secrets` are masked wherever they stand, whatever they look like."""
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._tainted: dict[str, str] = {}  # what a value comes to without spelling -> its mask
        self._names: set[str] = set()

    @property
    def tainted(self) -> bool:
        """Say whether anything but keys is masked."""
        return bool(self._tainted)

    def learn(self, event: Mapping[str, Any]) -> None:
        """Learn from a frame or journal entry: which parameters are sensitive, and what was given for them.

        A schema counts for what comes after it; a value for the whole call.
        """
        for holder in (event.get("session"), event.get("request")):  # of an agent, or of a text model
            tools = holder.get("tools") if isinstance(holder, Mapping) else None
            for tool in tools if isinstance(tools, list) else ():
                self._names |= set(_sensitive(tool.get("parameters") if isinstance(tool, Mapping) else None))
        if self._names:
            for arguments in _arguments(event, 0):
                self._taint_all(arguments, 0)

    def taint(self, name: str, value: object) -> None:
        """Have a value masked from now on, under the name of what it is."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return
        text = str(value)
        if MASK.fullmatch(text) or len(text.strip()) < LEAST_CHARS or len(self._tainted) >= MAX_TAINTED:
            return
        shown = re.sub(r"[\[\]\s]+", " ", name).strip()[:64] or "value"
        for form in forms_of(text):
            if len(form) >= LEAST_CHARS:
                self._tainted.setdefault(form, f"[masked {shown}]")

    def mask(self, text: str) -> str:
        """Return `text` with what must not be in it masked."""
        for start, end, mask in reversed(self.spans(text)):
            text = text[:start] + mask + text[end:]
        return text

    def spans(self, text: str) -> list[tuple[int, int, str]]:
        """Return (start, end, mask) of all that must not be in `text`, in order, none over another."""
        found = [(m.start(), m.end(), KEY) for m in _KEYS.finditer(text)]
        for secret in self._secrets:
            found += [(m.start(), m.end(), KEY) for m in re.finditer(re.escape(secret), text)]
        if self._tainted:
            found += self._values(text)
        apart: list[tuple[int, int, str]] = []
        for start, end, mask in sorted(found, key=lambda one: (one[0], -one[1])):
            if apart and start < apart[-1][1]:
                apart[-1] = (apart[-1][0], max(end, apart[-1][1]), apart[-1][2])
            else:
                apart.append((start, end, mask))
        return apart

    def deeply(self, value: Any, depth: int = 0, *, ids: bool = True) -> Any:
        """Return a JSON value with every text in it masked; JSON within texts stays JSON.

        With `ids`, what stands in a field of the protocol's own ids and names is left as it is.
        """
        if depth > MAX_DEPTH:
            return "[masked depth]"
        if isinstance(value, str):
            return self._text(value, depth)
        if isinstance(value, Mapping):
            return {
                self.mask(str(key)): one if ids and key in _IDS else self.deeply(one, depth + 1, ids=ids)
                for key, one in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.deeply(one, depth + 1, ids=ids) for one in value]
        if isinstance(value, int | float) and not isinstance(value, bool) and not ids:
            return self._tainted.get(str(value), value)
        return value

    def _text(self, text: str, depth: int) -> str:
        if text.startswith(("{", "[")):
            try:
                inner = json.loads(text)
            except (ValueError, RecursionError):
                return self.mask(text)
            if isinstance(inner, dict | list):
                masked = self.deeply(inner, depth + 1, ids=False)
                return text if masked == inner else json.dumps(masked, ensure_ascii=False)
        return self.mask(text)

    def _taint_all(self, value: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            return
        if isinstance(value, Mapping):
            for key, one in value.items():
                if key in self._names:
                    for leaf in _leaves(one, 0):
                        self.taint(str(key), leaf)
                else:
                    self._taint_all(one, depth + 1)
        elif isinstance(value, list):
            for one in value:
                self._taint_all(one, depth + 1)

    def _values(self, text: str) -> Iterator[tuple[int, int, str]]:
        tokens = tokens_of(text)
        for first in range(len(tokens)):
            if not tokens[first][2]:
                continue
            run = ""
            for start, end, said in tokens[first : first + 40]:
                run += said
                if said and (mask := self._found(run)):
                    yield tokens[first][0], max(end, start), mask

    def _found(self, run: str) -> str | None:
        if run in self._tainted:
            return self._tainted[run]
        if len(run) >= _LEAST_FIGURES and run.isdigit():  # part of a number, like its last four
            for form, mask in self._tainted.items():
                if len(form) >= _LONG_NUMBER and form.isdigit() and run in form:
                    return mask
        return None


def pieces(scrubber: Scrubber, parts: list[str]) -> list[str]:
    """Return the parts of one text, masked: a value that stands across parts is masked where it begins."""
    spans = scrubber.spans("".join(parts))
    if not spans:
        return parts
    masked: list[str] = []
    at = 0
    for part in parts:
        kept, end = "", at + len(part)
        here = at
        for start, stop, mask in spans:
            if stop <= here or start >= end:
                continue
            kept += part[here - at : max(start - at, here - at)]
            kept += mask if start >= at else ""
            here = min(stop, end)
        masked.append(kept + part[here - at :])
        at = end
    return masked


def _sensitive(schema: Any, depth: int = 0) -> Iterator[str]:
    """Yield the names of parameters that a JSON Schema calls sensitive, nested ones included."""
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return
    for name, inner in (schema.get("properties") or {}).items():
        if isinstance(inner, Mapping) and inner.get(SENSITIVE) is True:
            yield str(name)
        yield from _sensitive(inner, depth + 1)
    for inner in (schema.get("items"), *(schema.get("$defs") or {}).values(), *(schema.get("anyOf") or ())):
        yield from _sensitive(inner, depth + 1)


def _arguments(event: Mapping[str, Any], depth: int) -> Iterator[Any]:
    """Yield the arguments of every call in a frame or entry, parsed."""
    for key, value in event.items():
        if key == "arguments" and isinstance(value, str):
            try:
                yield json.loads(value)
            except (ValueError, RecursionError):
                continue
        elif depth < 6:
            for one in value if isinstance(value, list) else (value,):
                if isinstance(one, Mapping):
                    yield from _arguments(one, depth + 1)


def _leaves(value: Any, depth: int) -> Iterator[Any]:
    if isinstance(value, Mapping | list) and depth <= MAX_DEPTH:
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(one, depth + 1)
    else:
        yield value
