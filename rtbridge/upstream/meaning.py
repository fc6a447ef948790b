"""What a client event means, and how two of them differ, in words.

Two events mean the same when a model would do the same on them: ids of events count for nothing, a truncation may
differ by a fraction of a word, JSON texts by their spelling. A text that was masked in a recording stands for any. So
do two requests to a text model, where what an agent was heard to say may end a few words sooner or later.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from rtbridge.upstream.scrub import MASK

TRUNCATE_TOLERANCE_MS: Final = 400  # a real clock and a virtual one hear the caller begin within two words
LOST_TICKS: Final = 0.15  # of what is played, that a bridge on a busy machine may have been late with
CUT_WORDS: Final = 3  # by which two ears may differ in where an agent was cut off
SHOWN_CHARS: Final = 120
SHOWN_LINES: Final = 3  # of a text, each way
_ABSENT: Final = object()


def label(event: Mapping[str, Any]) -> str:
    """Return which kind of event this is: events of one label are matched in their order."""
    kind = str(event.get("type"))
    item = event.get("item")
    if kind == "conversation.item.create" and isinstance(item, Mapping):
        if item.get("type") == "function_call_output":
            return f"output of {item.get('call_id')}"
        role = item.get("role")
        return f"{kind} ({role} {item.get('type')})" if role else f"{kind} ({item.get('type')})"
    return kind


def shown(event: Mapping[str, Any]) -> str:
    """Return an event in a few words, for a person who looks for it. An id that we gave an item tells nothing."""
    rest = {key: value for key, value in event.items() if key not in ("type", "event_id")}
    if isinstance(item := rest.get("item"), Mapping):
        rest["item"] = {key: value for key, value in item.items() if key != "id"}
    return _short(json.dumps(rest, ensure_ascii=False)) if rest else "nothing more in it"


def differences(expected: Mapping[str, Any], got: Mapping[str, Any]) -> list[str]:
    """Return what `got` means otherwise than `expected`, a sentence each; nothing where they mean the same."""
    ignored = ("type", "event_id")
    before = {key: value for key, value in expected.items() if key not in ignored}
    after = {key: value for key, value in got.items() if key not in ignored}
    if expected.get("type") == "conversation.item.truncate":
        was, now = before.pop("audio_end_ms", None), after.pop("audio_end_ms", None)
        if not (isinstance(was, int) and isinstance(now, int) and _is_as_heard(was, now)):
            return [f"audio_end_ms was {was}, is {now}", *_walk("", before, after)]
    # Events have one table in them: its name says nothing that the event's does not.
    for wrapping in ("session", "response", "item"):
        if set(before) | set(after) == {wrapping}:
            before, after = before.get(wrapping) or {}, after.get(wrapping) or {}
            if wrapping == "item":  # an id that we gave it
                before = {key: value for key, value in before.items() if key != "id"}
                after = {key: value for key, value in after.items() if key != "id"}
    return list(_walk("", before, after))


def _is_as_heard(was_ms: int, now_ms: int) -> bool:
    """Say whether `now_ms` may be heard where `was_ms` were: a virtual clock is never late, a real one is."""
    return -TRUNCATE_TOLERANCE_MS <= now_ms - was_ms <= max(TRUNCATE_TOLERANCE_MS, LOST_TICKS * was_ms)


def request_differences(
    expected: Mapping[str, Any], got: Mapping[str, Any], hidden: Collection[str]
) -> list[str]:
    """Return what a text model is asked otherwise than `expected`, a sentence each.

    `hidden` are the calls of tools whose arguments were masked: their outputs are not compared.
    """
    before, after = dict(expected), dict(got)
    was, now = before.pop("input", None), after.pop("input", None)
    found = list(_walk("", before, after))
    if isinstance(was, str) and isinstance(now, str):
        return found if _cut_alike(was, now) else [*found, *_walk("input", was, now)]
    if not (_is_list(was) and _is_list(now)):
        return [*found, *_walk("input", was, now)]
    return [*found, *_conversations(was, now, hidden)]


def _conversations(was: Sequence[Any], now: Sequence[Any], hidden: Collection[str]) -> Iterator[str]:
    """Yield the first thing in which two conversations differ."""
    n = m = 0
    while n < len(was) or m < len(now):
        one = was[n] if n < len(was) else _ABSENT
        other = now[m] if m < len(now) else _ABSENT
        if one is not _ABSENT and other is not _ABSENT and _alike(one, other, hidden):
            n, m = n + 1, m + 1
        elif _is_a_breath(one):
            n += 1
        elif _is_a_breath(other):
            m += 1
        else:
            yield from _walk(f"input[{n}]", one, other)
            return


def _alike(was: Any, now: Any, hidden: Collection[str]) -> bool:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        if was.get("call_id") in hidden and was.get("type") == now.get("type") == "function_call_output":
            return was.get("call_id") == now.get("call_id")
        if was.get("role") == now.get("role") == "assistant":
            before, after = was.get("content"), now.get("content")
            if isinstance(before, str) and isinstance(after, str) and _cut_alike(before, after):
                return True
    return not any(_walk("", was, now))


def _cut_alike(was: str, now: str) -> bool:
    """Say whether one text is the other but for its last words."""
    before, after = was.split(), now.split()
    shorter = min(len(before), len(after))
    return before[:shorter] == after[:shorter] and abs(len(before) - len(after)) <= CUT_WORDS


def _is_a_breath(message: Any) -> bool:
    """Say whether so little was heard of this message that another ear may have heard nothing."""
    if not isinstance(message, Mapping) or message.get("role") != "assistant":
        return False
    return isinstance(content := message.get("content"), str) and len(content.split()) <= CUT_WORDS


def _walk(path: str, was: Any, now: Any) -> Iterator[str]:
    if was is _ABSENT:
        yield f"{path} added: {_short(_json(now))}"
    elif now is _ABSENT:
        yield f"{path} removed"
    elif isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in [*was, *(key for key in now if key not in was)]:
            inner = f"{path}.{key}" if path else str(key)
            yield from _walk(inner, was.get(key, _ABSENT), now.get(key, _ABSENT))
    elif _named(was) and _named(now):
        yield from _walk(path, _by_name(was), _by_name(now))
    elif isinstance(was, str) and isinstance(now, str):
        yield from _texts(path, was, now)
    elif _is_list(was) and _is_list(now) and len(was) == len(now):
        for n, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from _walk(f"{path}[{n}]", one, other)
    elif was != now or isinstance(was, bool) is not isinstance(now, bool):
        yield f"{path} was {_short(_json(was))}, is {_short(_json(now))}"


def _texts(path: str, was: str, now: str) -> Iterator[str]:
    if was == now or (MASK.search(was) and _as_pattern(was).fullmatch(now)):
        return
    before, after = _parsed(was), _parsed(now)
    if before is not None and after is not None:
        yield from _walk(path, before, after)
        return
    if "\n" not in was and "\n" not in now and len(was) + len(now) <= 2 * SHOWN_CHARS:
        yield f"{path} was {_json(was)}, is {_json(now)}"
        return
    lines = [
        line
        for line in difflib.unified_diff(was.splitlines(), now.splitlines(), lineterm="", n=0)
        if not line.startswith(("---", "+++", "@@"))
    ]
    told = [
        f"'{sign} {_short(line[1:])}'"
        for sign in "-+"
        for line in [line for line in lines if line[0] == sign][:SHOWN_LINES]
    ]
    more = len(lines) - len(told)
    yield f"{path} changed: {' '.join(told)}" + (f" and {more} more lines" if more > 0 else "")


def _as_pattern(masked: str) -> re.Pattern[str]:
    parts = MASK.split(masked)
    return re.compile(".*?".join(re.escape(part) for part in parts), re.DOTALL)


def _parsed(text: str) -> Any:
    """Return the object or list that a text is the JSON of, or None."""
    if not text.startswith(("{", "[")):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _named(value: Any) -> bool:
    """Say whether this is a list of things with names of their own, like tools."""
    if not _is_list(value):
        return False
    names = [one.get("name") for one in value if isinstance(one, Mapping)]
    return len(names) == len(value) and None not in names and len(set(names)) == len(names)


def _by_name(value: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {str(one["name"]): one for one in value}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 1] + "…"
