"""What is expected of a recorded call that is played again: that it goes as it went.

The same handoffs, tools, effects and guardrail, and all words that were surely heard. Made out of the call's journal.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rtbridge.replay.story import CallExpect, EffectExpect, GuardrailExpect, ToolExpect, TranscriptExpect
from rtbridge.upstream.scrub import MASK

LOST_WORDS: Final = 3  # of what an interrupted agent said: two clocks cut it a little apart
_SPECIAL: Final = re.compile(r"[\\.^$*+?{}\[\]|()]")
_SPACE: Final = re.compile(r"\s+")

Entries = Sequence[Mapping[str, Any]]


def expected(events: Entries) -> CallExpect:
    """Return what is expected of a call with this journal (the objects of an events.jsonl)."""
    tools = tuple(_tools(events))
    return CallExpect(
        handoffs=tuple(str(entry["to"]) for entry in events if entry.get("event") == "agent.handed_off"),
        tools=tools,
        effects=_effects(events),
        guardrail=_guardrail(events),
        transcript=tuple(_said(events)),
    )


def literally(text: str) -> str:
    r"""Return a pattern that finds `text`, as a person would write it: spaces stay spaces.

    >>> literally("It's A-7 (really).")
    "It's A-7 \\(really\\)\\."
    """
    words = _SPECIAL.sub(r"\\\g<0>", text.strip())
    return _SPACE.sub(lambda gap: " " if gap[0] == " " else r"\s+", words)


def _said(events: Entries) -> Iterator[TranscriptExpect]:
    for entry in events:
        if entry.get("event") == "item.heard":
            heard = str(entry.get("heard_text") or "").strip()
            if entry.get("unheard_text"):
                heard = _without_last_words(heard)
            if heard:
                yield TranscriptExpect("agent", literally(heard), None)
        elif entry.get("event") == "caller.said" and str(entry.get("text") or "").strip():
            yield TranscriptExpect("caller", literally(str(entry["text"])), None)


def _without_last_words(text: str) -> str:
    words = list(re.finditer(r"\S+", text))[:-LOST_WORDS]
    return text[: words[-1].end()] if words else ""


def _tools(events: Entries) -> Iterator[ToolExpect]:
    for entry in events:
        name = str(entry.get("name"))
        if entry.get("event") != "tool.started" or name.startswith("transfer_to_"):
            continue
        if entry.get("by") is None or not _is_beside_others(events, str(entry.get("call_id"))):
            yield ToolExpect(name, _arguments(entry))


def _is_beside_others(events: Entries, call_id: str) -> bool:
    """Say whether agents called other tools while a supervisor made this call: then its place is a matter of ms."""
    asked = call_id.rpartition(".")[0]
    during = False
    for entry in events:
        if entry.get("call_id") == asked and entry.get("event") == "tool.started":
            during = True
        elif entry.get("call_id") == asked and entry.get("event") == "tool.ended":
            return False
        elif during and entry.get("event") == "tool.started" and entry.get("by") is None:
            return True
    return False


def _arguments(entry: Mapping[str, Any]) -> dict[str, Any]:
    try:
        found = json.loads(str(entry.get("arguments") or "{}"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _guardrail(events: Entries) -> GuardrailExpect | None:
    """Return the first guardrail that tripped over an agent; where it gated, nothing of the words may be heard."""
    gated = {
        e.get("item_id")
        for e in events
        if e.get("event") == "guardrail.tripped" and e.get("policy") == "gate"
    }
    for entry in events:
        if entry.get("event") != "guardrail.judged" or entry.get("who") == "caller":
            continue
        if entry.get("state") == "fail" and isinstance(category := entry.get("category"), str):
            return GuardrailExpect(category, 0 if entry.get("item_id") in gated else None)
    return None


def _effects(events: Entries) -> tuple[EffectExpect, ...] | None:
    """Return how often each tool changed the world; nothing where masks may have made one value of two."""
    if any(MASK.search(str(entry.get("arguments"))) for entry in events):
        return None
    done = Counter(str(entry.get("tool")) for entry in events if entry.get("event") == "effect.done")
    return tuple(EffectExpect(tool, count) for tool, count in sorted(done.items()))
