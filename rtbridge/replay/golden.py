"""Golden journals: what a call did, line by line, as it was once found right.

A story that has a file of its name with the ending `.golden.jsonl` beside it must give that very journal, times and
all. Only the virtual road can hold to that. `rtbridge replay --update` writes it anew.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Final

from rtbridge.replay.failure import Failure, Verdict
from rtbridge.replay.report import journal_lines
from rtbridge.replay.result import RunResult

ENDING: Final = ".golden.jsonl"
SHOWN_CHARS: Final = 160


def golden_file(story: Path) -> Path:
    """Return where the golden journal of a story lies, if it has one."""
    return story.with_name(story.stem + ENDING)


def compared(verdict: Verdict, result: RunResult, *, update: bool) -> Verdict:
    """Return the verdict with what the golden journal has to say; with `update`, write that journal instead.

    A run that failed its expectations, or that was not played on the virtual road, is never made golden. Raises
    OSError when the file cannot be written.
    """
    file = golden_file(result.story.file)
    if result.road != "virtual":
        note = f"{file.name}: a golden journal is only compared on the virtual road"
        return replace(verdict, notes=(*verdict.notes, note)) if file.is_file() or update else verdict
    lines = journal_lines(result)
    if update:
        if verdict.passed:
            file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            return verdict
        return replace(
            verdict, notes=(*verdict.notes, f"{file.name}: not updated, since expectations failed")
        )
    if not file.is_file():
        return verdict
    try:
        known = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return _failed(verdict, f"{file} cannot be read: {error}")
    for number, (was, now) in enumerate(zip_longest(known, lines), start=1):
        if was != now:
            return _failed(verdict, f"{file.name}:{number}: the journal has changed: {_difference(was, now)}")
    return verdict


def _failed(verdict: Verdict, message: str) -> Verdict:
    advice = "if this is right, run again with --update"
    return replace(verdict, failures=(*verdict.failures, Failure(None, "golden", f"{message}; {advice}")))


def _difference(was: str | None, now: str | None) -> str:
    """Say what differs between two lines: which fields, if both are the same event."""
    if was is None or now is None:
        return f"expected {_shown(was)}, got {_shown(now)}"
    try:
        before, after = json.loads(was), json.loads(now)
        fields = [key for key in before | after if before.get(key) != after.get(key)]
        if before["event"] == after["event"] and fields:
            told = (f"{key} was {_shown(before.get(key))}, is {_shown(after.get(key))}" for key in fields[:3])
            return f"{before['event']} at {after['at_ms']} ms: {', '.join(told)}"
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # a golden file that was edited by hand
    return f"expected {_shown(was)}, got {_shown(now)}"


def _shown(value: object) -> str:
    shown = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value)
    return shown if len(shown) <= SHOWN_CHARS else shown[: SHOWN_CHARS - 1] + "…"
