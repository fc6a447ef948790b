"""What the page of a report shows, as data: read out of the Report, put into the page as JSON, drawn there.

Nothing in it differs between two runs of the same story on the virtual road: no wall time, no folder, no random id.
Times are ms of the call; sample 0 of the recordings is 0.
"""

from __future__ import annotations

import base64
import re
from typing import Any, Final

from rtbridge.core import pcm
from rtbridge.core.journal import LATENCY_PARTS
from rtbridge.replay import report_lanes as lanes
from rtbridge.replay.failure import Failure
from rtbridge.replay.metrics import metrics
from rtbridge.replay.report import Report
from rtbridge.replay.report_sound import PEAK_MS, peaks_of

_AT = re.compile(r"\bat (\d+\.\d\d) s\b")
# How the sentences of checks.py turn from what was expected to what was found.
_INSTEAD = re.compile(
    r"^expected (?P<expected>.+?)(?:; |, (?=seen |heard |the journal |\S+ said |it added ))(?P<found>.+)$",
    re.S,
)
# Of what begins within one frame, the first is the one that the others follow from.
_ORDER: Final = ("network", "handoff", "caller", "noise", "agent", "tool")


def page_data(report: Report) -> dict[str, Any]:
    """Return all that the page of one story shows, but the sound."""
    result, seen, verdict = report.result, report.seen, report.verdict
    end_ms = result.duration_ms
    drawn = {
        "caller": lanes.caller_lane(result, seen),
        "agent": lanes.agent_lane(result, seen),
        "tools": lanes.tool_lane(result.journal, end_ms),
        "guardrail": lanes.guardrail_lane(result.journal, end_ms),
        "charge": lanes.charge_lane(result.journal, end_ms),
        "turns": lanes.turn_lane(result.journal, end_ms),
        "network": lanes.network_lane(result.journal),
    }
    return {
        "story": result.story.name,
        "file": result.story.file.name,
        "scenario": result.story.scenario,
        "road": result.road,
        "passed": verdict.passed,
        "ended": result.reason,
        "duration_ms": end_ms,
        "turns_played": len(result.played),
        "turns_told": len(result.story.turns),
        "failures": [_failure(report, failure) for failure in verdict.failures],
        "notes": list(verdict.notes),
        "metrics": {**metrics(seen), "underruns": result.underruns, "leaked_tasks": result.leaked_tasks},
        "peaks": {
            "every_ms": PEAK_MS,
            "caller": base64.b64encode(peaks_of(result.said)).decode(),
            "agent": base64.b64encode(peaks_of(result.heard)).decode(),
        },
        "lanes": drawn,
        "waterfall": [_row(report, n) for n, turn in enumerate(seen.turns) if not turn.played.turn.is_noise],
        "transcript": transcript(drawn),
        "events": [{"at_ms": e.at_ms, "event": e.event, **e.fields} for e in result.journal],
    }


def transcript(drawn: dict[str, list[lanes.Span]]) -> list[dict[str, Any]]:
    """Return the call in words, in its order: both sides, tools, handoffs, trouble; each with its span's fields."""
    verdicts = {span["item_id"]: span for span in drawn["guardrail"]}
    lines: list[dict[str, Any]] = []
    for span in drawn["caller"]:
        lines.append({**span, "kind": "noise" if span["kind"] == "noise" else "caller", "how": span["kind"]})
    for span in drawn["agent"]:
        lines.append({**span, "kind": "agent", "check": verdicts.get(span["item_id"])})
    lines += [{**span, "kind": "tool"} for span in drawn["tools"]]
    lines += [{**span, "kind": "handoff"} for span in drawn["charge"] if span["from"] is not None]
    lines += [{**span, "kind": "network"} for span in drawn["network"] if span["trouble"]]
    return sorted(lines, key=lambda line: (line["start_ms"] // pcm.FRAME_MS, _ORDER.index(line["kind"])))


def _row(report: Report, n: int) -> dict[str, Any]:
    """Return one turn's row of the waterfall: what the recording says, and the journal's parts of it."""
    turn = report.seen.turns[n]
    source, told = turn.played.turn, turn.journal
    return {
        "turn": source.id,
        "at_ms": lanes.ms(turn.played.speech_end),
        "agent": turn.agent,
        "respond_ms": turn.respond_ms,
        "limit_ms": source.expect.respond_within_ms,
        "stop_ms": turn.stop_ms if turn.barged_in else None,
        "parts": None if told is None else {part: told.get(part) for part in LATENCY_PARTS},
    }


def _failure(report: Report, failure: Failure) -> dict[str, Any]:
    """Return a failure with the moment to look at: its turn's, else the first that its sentence names."""
    turn = next((t for t in report.result.story.turns if t.id == failure.turn), None)
    played = next((p for p in report.result.played if p.turn.id == failure.turn), None)
    named = _AT.search(failure.message)
    at_ms = lanes.ms(played.speech_start) if played else float(named[1]) * 1000 if named else None
    parts = _INSTEAD.match(failure.message)
    return {
        "turn": failure.turn,
        "line": turn.line if turn else None,
        "what": failure.what,
        "message": failure.message,
        "expected": parts["expected"] if parts else None,
        "found": parts["found"] if parts else None,
        "at_ms": None if at_ms is None else min(at_ms, report.result.duration_ms),
    }
