"""What a run leaves behind: the two recordings, the journal, the turns with their figures, and labels.

`call.wav` (stereo: left what the caller said, right what was heard), `events.jsonl` and `turns.json` hold nothing that
differs between two runs of the same story on the virtual road: no wall time, no path, no random id.
"""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtbridge.core import pcm
from rtbridge.replay.evidence import Seen, SeenTurn
from rtbridge.replay.failure import Failure, Verdict
from rtbridge.replay.metrics import metrics
from rtbridge.replay.result import RunResult
from rtbridge.replay.story import Turn


@dataclass(frozen=True, slots=True)
class Report:
    """One story, played and judged."""

    result: RunResult
    seen: Seen
    verdict: Verdict

    @property
    def name(self) -> str:
        """Return the story's name."""
        return self.result.story.name


def write_call(report: Report, folder: Path, made: Mapping[str, bytes] | None = None) -> None:
    """Write what `artifacts` makes into `folder`, which is made; `made` is that, where it is there already.

    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (artifacts(report) if made is None else made).items():
        (folder / name).write_bytes(content)


def artifacts(report: Report) -> dict[str, bytes]:
    """Return what is left of one story, by file name: recordings, journal, turns, and labels for Audacity."""
    cassette = report.result.cassette
    return {
        "turns.json": (_json(turns(report)) + "\n").encode(),
        "events.jsonl": "".join(f"{line}\n" for line in journal_lines(report.result)).encode(),
        "call.wav": _stereo(report.result),
        "labels.txt": labels(report.seen).encode(),
    } | ({"cassette.jsonl": cassette} if cassette else {})


def journal_lines(result: RunResult) -> list[str]:
    """Return the journal, a JSON object an entry."""
    return [
        json.dumps({"at_ms": entry.at_ms, "event": entry.event, **entry.fields}, ensure_ascii=False)
        for entry in result.journal
    ]


def _stereo(result: RunResult) -> bytes:
    """Return a WAV: left what the caller said, right what was heard."""
    both = np.stack([np.frombuffer(side, "<i2") for side in (result.said, result.heard)], axis=1)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(pcm.SAMPLE_BYTES)
        out.setframerate(pcm.RATE)
        out.writeframes(both.tobytes())
    return file.getvalue()


def labels(seen: Seen) -> str:
    """Return a label track for Audacity: start, end (in seconds) and text of all that was said, heard and done."""
    found = [
        (_ms(turn.played.speech_start), _ms(turn.played.speech_end), f"caller: {turn.played.turn.label}")
        for turn in seen.turns
    ]
    found += [(item.start_ms, item.end_ms, f"{item.agent}: {item.text}") for item in seen.items]
    found += [(at_ms, at_ms, f"tool: {name}") for at_ms, name, _ in seen.tools]
    lines = (
        f"{start / 1000:.3f}\t{end / 1000:.3f}\t{' '.join(text.split())}\n"
        for start, end, text in sorted(found)
    )
    return "".join(lines)


def turns(report: Report) -> dict[str, Any]:
    """Return what turns.json holds: the call's course and figures, and every turn with both witnesses."""
    result, seen, verdict = report.result, report.seen, report.verdict
    return {
        "story": result.story.name,
        "scenario": result.story.scenario,
        "road": result.road,
        "passed": verdict.passed,
        "ended": result.reason,
        "duration_ms": result.duration_ms,
        "handoffs": list(seen.handoffs),
        "tools": [{"at_ms": at, "name": name, "arguments": args} for at, name, args in seen.tools],
        "caller_said": [{"at_ms": at, "text": text} for at, text in seen.caller_said],
        "greeting": " ".join(item.text for item in seen.greeting),
        "metrics": metrics(seen),
        "underruns": result.underruns,
        "leaked_tasks": result.leaked_tasks,
        "turns": [_turn(turn, verdict) for turn in seen.turns],
        "failures": [str(failure) for failure in verdict.failures],
        "notes": list(verdict.notes),
    }


def _doing(source: Turn) -> str:
    if source.switch is not None:
        return "switched"
    if source.approve is not None:
        return "answered"
    if source.press is not None:
        return "pressed"
    return "typed" if source.sound is None else "noise" if source.is_noise else "said"


def _turn(turn: SeenTurn, verdict: Verdict) -> dict[str, Any]:
    played = turn.played
    source = played.turn
    return {
        "id": source.id,
        "line": source.line,
        _doing(source): source.switch or source.label,
        "speech_start_ms": _ms(played.speech_start),
        "speech_end_ms": _ms(played.speech_end),
        "respond_ms": turn.respond_ms,
        "stop_ms": turn.stop_ms,
        "interrupted": turn.barged_in,
        **_of_noise(turn),
        **_of_words(turn),
        "agent": turn.agent,
        "heard": [
            {
                "agent": item.agent,
                "item_id": item.item_id,
                "start_ms": item.start_ms,
                "heard_ms": item.heard_ms,
                "total_ms": item.total_ms,
                "text": item.text,
                "unheard": item.unheard,
            }
            for item in turn.answer
        ],
        "cut": [
            {
                "item_id": cut.item_id,
                "truncated_ms": cut.truncated_ms,
                "deleted": cut.deleted,
                "truncate_error_ms": cut.error_ms,
            }
            for cut in turn.cuts
        ],
        "journal": turn.journal,
        "failures": [failure.message for failure in verdict.failures if failure.turn == source.id],
    }


def _of_noise(turn: SeenTurn) -> dict[str, Any]:
    noise, kind = turn.noise, turn.played.turn.kind
    if noise is None:
        return {}
    return {
        "kind": None if kind is None else kind.value,
        "ignored": turn.ignored,
        "paused_ms": noise.paused_ms,
        "lost_ms": noise.lost_ms,
        "taken_for_turn": noise.taken_for_turn,
    }


def _of_words(turn: SeenTurn) -> dict[str, Any]:
    if turn.words is None:
        return {}
    return {"understood": turn.understood, "wer": turn.words.rate}


def line_of(report: Report) -> str:
    """Return the story's line on the terminal, and under it what failed."""
    figures = metrics(report.seen)
    result = report.result
    said = [
        "ok  " if report.verdict.passed else "FAIL",
        f"{report.name:<28.28}",
        f"{len(result.played)}/{len(result.story.turns)} turns",
        f"{result.duration_ms / 1000:6.1f} s",
    ]
    if figures["respond_p50_ms"] is not None:
        said.append(f"respond {figures['respond_p50_ms']:.0f}/{figures['respond_p90_ms']:.0f} ms (p50/p90)")
    if figures["stop_p50_ms"] is not None:
        said.append(f"stop {figures['stop_p50_ms']:.0f} ms")
    lines = ["  ".join(said)]
    lines += [f"      {with_line(report, failure)}" for failure in report.verdict.failures]
    lines += [f"      note: {note}" for note in report.verdict.notes]
    return "\n".join(lines)


def with_line(report: Report, failure: Failure) -> str:
    """Return the failure, led by file and line of its turn."""
    story = report.result.story
    line = next((turn.line for turn in story.turns if turn.id == failure.turn), None)
    return f"{story.file}{'' if line is None else f':{line}'}: {failure}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _ms(samples: int) -> float:
    return round(samples * 1000 / pcm.RATE, 1)
