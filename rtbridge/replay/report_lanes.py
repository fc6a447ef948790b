"""The lanes of a report's time line: who spoke, what ran, who was in charge, what was checked, what the network did.

Every function takes the journal (and what was seen in the recordings) and returns JSON-ready spans in ms of the
call, ordered by their beginning. A span that has no length is a moment; it is drawn all the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final

from rtbridge.core import pcm
from rtbridge.replay.evidence import Seen
from rtbridge.replay.result import Logged, RunResult
from rtbridge.replay.script import Played
from rtbridge.replay.story import Turn

Span = dict[str, Any]

# Entries of the legs and of the media, and the field that says most.
NETWORK: Final = {
    "upstream.opened": "url",
    "upstream.failed": "reason",
    "upstream.erred": "message",
    "upstream.restored": "reason",
    "media.suspended": "reason",
    "media.resumed": "gap_ms",
    "audio.dropped": "where",
    "caller.refused": "message",
    "notice": "message",
    "agent.switch_failed": "why",
    "bound.reached": "bound",
}
_ANSWERS: Final = {
    "tool.approved": "approved",
    "tool.rejected": "rejected",
    "tool.approval_expired": "nobody answered",
}
_TROUBLE: Final = {
    "agent.switch_failed",
    "upstream.failed",
    "upstream.erred",
    "media.suspended",
    "audio.dropped",
    "bound.reached",
}


def caller_lane(result: RunResult, seen: Seen) -> list[Span]:
    """Return a span a turn that was played: where it was audible, what it was, and what was understood of it."""
    understood = understood_by_turn(result, seen)
    spans = []
    for played in result.played:
        source = played.turn
        spans.append(
            {
                "kind": _kind(source),
                "turn": source.id,
                "line": source.line,
                "start_ms": ms(played.speech_start),
                "end_ms": ms(played.speech_end),
                "source": source.label,
                "text": understood.get(source.id, ""),
            }
        )
    return spans


def _kind(source: Turn) -> str:
    """Return how a turn reached the bridge."""
    if source.switch is not None:
        return "switch"
    if source.press is not None:
        return "pressed"
    return "typed" if source.sound is None else "noise" if source.is_noise else "said"


def understood_by_turn(result: RunResult, seen: Seen) -> dict[str, str]:
    """Return turn -> the words that the upstream understood (or took as typed) from its beginning to the next."""
    found: dict[str, list[str]] = {}
    for at_ms, text in seen.caller_said:
        turn = _last_begun(result.played, at_ms)
        if turn is not None:
            found.setdefault(turn.turn.id, []).append(text)
    return {turn: " ".join(texts) for turn, texts in found.items()}


def _last_begun(turns: Sequence[Played], at_ms: float) -> Played | None:
    begun = [played for played in turns if ms(played.start) <= at_ms and not played.turn.is_noise]
    return begun[-1] if begun else None


def agent_lane(result: RunResult, seen: Seen) -> list[Span]:
    """Return a span an item: what of it was heard and when, and what never was, with how long it would have gone on."""
    spans = [
        {
            "item_id": item.item_id,
            "agent": item.agent,
            "start_ms": item.start_ms,
            "end_ms": item.end_ms,
            "total_ms": item.total_ms,
            "text": item.text,
            "unheard": item.unheard,
        }
        for item in seen.items
    ]
    played = {item.item_id for item in seen.items}
    for entry in result.journal:  # made, and thrown away before its first sample
        if entry.event == "agent.said" and entry.fields["item_id"] not in played and entry.fields["text"]:
            spans.append(
                {
                    "item_id": entry.fields["item_id"],
                    "agent": entry.fields["agent"],
                    "start_ms": entry.at_ms,
                    "end_ms": entry.at_ms,
                    "total_ms": None,
                    "text": "",
                    "unheard": entry.fields["text"],
                }
            )
    return sorted(spans, key=lambda span: span["start_ms"])


def tool_lane(journal: Sequence[Logged], end_ms: int) -> list[Span]:
    """Return a span a call, those of a supervisor's own tools below the call that woke it (`depth` 1).

    A call that waited for a person's approval has a span for that, with the answer as its output.
    """
    spans: list[Span] = []
    running: dict[str, Span] = {}
    waiting: dict[str, Span] = {}
    for entry in journal:
        f = entry.fields
        if entry.event == "tool.approval_requested":
            name = f"approval of {f['name']}"
            span = {"call_id": f["call_id"], "name": name, "by": None, "depth": 0, "start_ms": entry.at_ms}
            waiting[f["call_id"]] = span | {"end_ms": end_ms, "arguments": f["arguments"], "output": None}
            spans.append(waiting[f["call_id"]])
        elif entry.event in _ANSWERS and f["call_id"] in waiting:
            span = waiting.pop(f["call_id"])
            by = f" by the {f['by']}" if "by" in f else ""
            reason = f": {f['reason']}" if f.get("reason") else ""
            span["end_ms"], span["output"] = entry.at_ms, f"{_ANSWERS[entry.event]}{by}{reason}"
        elif entry.event == "tool.started":
            span = {
                "call_id": f["call_id"],
                "name": f["name"],
                "by": f.get("by"),
                "depth": 0 if f.get("by") is None else 1,
                "start_ms": entry.at_ms,
                "end_ms": end_ms,
                "arguments": f["arguments"],
                "output": None,  # None: it never ended
            }
            running[f["call_id"]] = span
            spans.append(span)
        elif entry.event == "tool.ended" and f["call_id"] in running:
            span = running.pop(f["call_id"])
            span["end_ms"], span["output"] = entry.at_ms, f["output"]
    return spans


def guardrail_lane(journal: Sequence[Logged], end_ms: int) -> list[Span]:
    """Return a span a check, from `pending` to its last verdict; one that never came stays pending to the end."""
    spans: list[Span] = []
    by_item: dict[str, Span] = {}
    for entry in journal:
        if entry.event != "guardrail.judged":
            continue
        f = entry.fields
        span = by_item.get(f["item_id"])
        if span is None:
            span = {"item_id": f["item_id"], "start_ms": entry.at_ms}
            by_item[f["item_id"]] = span
            spans.append(span)
        span["end_ms"] = end_ms if f["state"] == "pending" else entry.at_ms
        for key, default in (("who", "agent"), ("state", None), ("category", None), ("rationale", None)):
            span[key] = f.get(key, default)
        span["text"], span["latency_ms"] = f.get("text"), f.get("latency_ms")
    return spans


def charge_lane(journal: Sequence[Logged], end_ms: int) -> list[Span]:
    """Return a span an agent in charge: from the call's opening or its handoff to the next handoff."""
    spans: list[Span] = []
    for entry in journal:
        if entry.event == "call.opened":
            spans.append({"agent": entry.fields["agent"], "from": None, "start_ms": 0, "took_ms": None})
        elif entry.event == "agent.handed_off":
            f = entry.fields
            handed = {"agent": f["to"], "from": f["from"], "start_ms": entry.at_ms, "took_ms": f["took_ms"]}
            spans.append(handed)
    return _until_next(spans, end_ms)


def turn_lane(journal: Sequence[Logged], end_ms: int) -> list[Span]:
    """Return a span a state of core/turns.py."""
    changes = [entry for entry in journal if entry.event == "turn.changed"]
    spans: list[Span] = (
        [{"state": changes[0].fields["from"], "cause": None, "start_ms": 0}] if changes else []
    )
    for entry in changes:
        spans.append({"state": entry.fields["to"], "cause": entry.fields["cause"], "start_ms": entry.at_ms})
    return [span for span in _until_next(spans, end_ms) if span["end_ms"] > span["start_ms"]]


def network_lane(journal: Sequence[Logged]) -> list[Span]:
    """Return a span an event of a leg or of the media; a caller who went away is a span until it is back."""
    spans: list[Span] = []
    for entry in journal:
        if entry.event not in NETWORK:
            continue
        f = entry.fields
        trouble = entry.event in _TROUBLE and not f.get("benign")
        told = f.get(NETWORK[entry.event], "")
        spans.append(
            {
                "event": entry.event,
                "text": f"{told} ms" if entry.event == "media.resumed" else str(told),
                "trouble": trouble,
                "start_ms": entry.at_ms,
                "end_ms": entry.at_ms,
            }
        )
        if entry.event == "media.resumed":
            gone = [span for span in spans if span["event"] == "media.suspended"]
            if gone:
                gone[-1]["end_ms"] = entry.at_ms
    return spans


def ms(samples: int) -> float:
    """Return samples of the call in ms, to a tenth."""
    return round(samples * 1000 / pcm.RATE, 1)


def _until_next(spans: list[Span], end_ms: int) -> list[Span]:
    for span, after in itertools.pairwise([*spans, {"start_ms": end_ms}]):
        span["end_ms"] = max(span["start_ms"], after["start_ms"])
    return spans
