"""Writing a story as TOML: what `read_story.py` reads back is the same story.

Only what differs from the format's own defaults is written, so that a person can read it and go on from there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from rtbridge.replay.story import Anchor, Budget, Story, Turn, TurnExpect

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_LITERAL: Final = re.compile(r"[^'\x00-\x1f\x7f-\x9f\ud800-\udfff]*")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def story_toml(story: Story, upstream: str, sounds: Mapping[str, str], heading: Sequence[str] = ()) -> str:
    """Return `story` as TOML.

    `upstream` is the text of its key; `sounds` has the file of every turn with a sound, by the turn's id, as the story
    is to name it. `heading` are lines of comment at its top. Raises ValueError for a turn that stands in no file.
    """
    top: list[tuple[str, Any]] = [("name", story.name), ("scenario", story.scenario)]
    if story.agent is not None:
        top.append(("agent", story.agent))
    top.append(("upstream", upstream))
    if story.stays_ms:
        top.append(("stays_ms", story.stays_ms))
    lines = [f"# {_one_line(line)}".rstrip() for line in heading]
    lines += [f"{key} = {toml(value)}" for key, value in top]
    for number, turn in enumerate(story.turns, start=1):
        lines += ["", "[[turn]]", *_turn(turn, number, sounds)]
    lines += _expect(story)
    budget = _given(story.budget, Budget())
    if budget:
        lines += ["", "[budget]", *(f"{key} = {toml(value)}" for key, value in budget.items())]
    return "".join(f"{line}\n" for line in lines)


def _turn(turn: Turn, number: int, sounds: Mapping[str, str]) -> Iterator[str]:
    if turn.id != f"turn {number}":
        yield f"id = {toml(turn.id)}"
    if turn.sound is not None:
        key = "noise" if turn.is_noise else "say"
        yield f"{key} = {toml(sounds[turn.id])}  # {_one_line(turn.sound.label)}"
        if turn.words is not None:
            yield f"words = {toml(turn.words)}"
        if turn.kind is not None:
            yield f"kind = {toml(turn.kind.value)}"
    else:
        does = {"type": turn.typed, "press": turn.press, "switch": turn.switch, "approve": turn.approve}
        lines = [f"{key} = {toml(value)}" for key, value in does.items() if value is not None]
        if not lines:
            raise ValueError(f"turn {turn.id!r} does nothing")
        yield from lines
    start: dict[str, Any] = {"delay_ms": turn.start.delay_ms}
    if turn.approve is None or turn.start.after is not Anchor.APPROVAL:
        start = {"after": turn.start.after.value, **start}
    yield f"start = {toml(start)}"
    if expect := _given(turn.expect, TurnExpect()):
        yield f"expect = {toml(expect)}"


def _expect(story: Story) -> Iterator[str]:
    expect = story.expect
    lines: list[str] = []
    if expect.handoffs is not None:
        lines.append(f"handoffs = {toml(expect.handoffs)}")
    if expect.tools is not None:
        tools = [
            {"name": tool.name, "args": dict(tool.args) or None, "dead_air_ms": tool.dead_air_ms}
            for tool in expect.tools
        ]
        lines += _rows("tools", tools)
    if expect.effects is not None:
        lines += _rows("effects", [{"tool": one.tool, "count": one.count} for one in expect.effects])
    if (guard := expect.guardrail) is not None:
        lines.append(f"guardrail = {toml({'tripped': guard.tripped, 'audible_ms': guard.audible_ms})}")
    if expect.transcript:
        said = [{"who": one.who, "like": one.like, "never": one.never} for one in expect.transcript]
        lines += _rows("transcript", said)
    if expect.ended is not None:
        lines.append(f"ended = {toml(expect.ended)}")
    if lines:
        yield from ("", "[expect]", *lines)


def _rows(key: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not rows:
        yield f"{key} = []"
        return
    yield f"{key} = ["
    yield from (f"    {toml(row)}," for row in rows)
    yield "]"


def _given(one: Any, usual: Any) -> dict[str, Any]:
    """Return the fields of a dataclass in which it differs from `usual`."""
    named = ((field.name, getattr(one, field.name)) for field in fields(one))
    return {name: value for name, value in named if value != getattr(usual, name)}


def toml(value: Any) -> str:
    """Return a value of JSON as TOML in one line. TOML has no null: a key whose value has one is left out.

    >>> toml({"name": "look_up", "args": {"a b": None, "n": [1, 2.5, True]}})
    '{name = "look_up", args = {n = [1, 2.5, true]}}'
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        inner = (f"{_key(str(key))} = {toml(one)}" for key, one in value.items() if _is_sayable(one))
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(toml(one) for one in value)}]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _is_sayable(value: Any) -> bool:
    """Say whether TOML has this value. A list with a hole in it would be another list."""
    if isinstance(value, float):
        return not math.isnan(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(_is_sayable(one) for one in value)
    return value is not None


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _quoted(key)


def _text(text: str) -> str:
    """Return a text as patterns are best read, without escapes, where that can be."""
    return f"'{text}'" if "\\" in text and _LITERAL.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's; TOML allows no DEL as it is, and no half of a surrogate pair at all.
    plain = json.dumps(_SURROGATE.sub("\ufffd", text), ensure_ascii=False)
    return plain.replace("\x7f", "\\u007f")


def _one_line(text: str) -> str:
    """Return a text that can stand in a comment."""
    kept = _SURROGATE.sub("\ufffd", "".join(c if c.isprintable() else " " for c in text))
    return " ".join(kept.split())[:120]
