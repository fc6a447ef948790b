"""`rtbridge bench bargein`: whether the agent yields to who means it, at once, and goes on where nobody did.

Every case is a whole call on the virtual clock: session, SDK, core and the offline engine with its own voice and ears,
and a caller whose microphone hears a room, one sound over the agent's words, or the agent itself. Everything is told
from the caller's side, by what they were given to hear, and by when the bridge was told of speech.

Whoever means it is found by the engine's own turn detection. For all else a gate that every sound opens takes its
place, so that a cough that it would not have heard is not counted as a decision well made.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from rtbridge.agents.scenario import load_scenario
from rtbridge.bench.bargein_call import AGENT, Called, KeptVoice, call_of
from rtbridge.bench.bargein_cases import MEANT, SHARES, Case, cases
from rtbridge.core import journal, pcm
from rtbridge.core.voicing import voice_from
from rtbridge.errors import RtbridgeError
from rtbridge.replay.hearing import audible_span
from rtbridge.replay.sound import BadSound

SEED: Final = 5
YIELD_PCT: Final = 98.0
STOP_MS: Final = 300.0
FALSE_PCT: Final = 5.0
PAUSE_MS: Final = 20.0
AUDIBLE: Final = 104  # 32768 * 10 ** (-50 / 20)


def run(args: argparse.Namespace) -> int:
    """Run the bench and print it. Returns 0, 2 for arguments that cannot be, 3 when it could not be carried out."""
    if not 9 <= args.cases <= 3000:
        print("bench bargein: --cases 9..3000", file=sys.stderr)
        return 2
    try:
        result = measured(args.cases, args.seed)
    except (RtbridgeError, BadSound, OSError, BaseExceptionGroup) as error:
        print(f"bench bargein: {error}", file=sys.stderr)
        return 3
    print(json.dumps(result, indent=2) if args.json else table(result))
    return 0


def measured(number: int, seed: int) -> dict[str, Any]:
    """Carry out so many cases and return their figures. Blocking. Raises RtbridgeError, BadSound, OSError."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "talker")
        home.mkdir()
        (home / "agents.py").write_text(AGENT)
        scenario, voice = load_scenario(home), KeptVoice()
        return figures([_seen(call_of(case, scenario, voice)) for case in cases(number, seed)], seed)


@dataclass(slots=True)
class Seen:
    """One case and what the caller heard of it."""

    case: Case
    yielded: bool
    decided: int  # how often the agent was paused
    reasons: tuple[str, ...]  # of dismissals
    stop_ms: float | None  # voiced onset -> last audible sample of the agent
    pause_ms: float | None  # speech_started -> silence, the longest
    paused_ms: int  # in which the agent was silent without need, together
    resume_error: int | None  # samples that were lost, doubled or changed where it went on

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        told = {name: getattr(self, name) for name in self.__slots__ if name != "case"}
        return {"case": self.case.number, "kind": self.case.kind, "label": self.case.label, **told}


def figures(seen: Sequence[Seen], seed: int) -> dict[str, Any]:
    """Return what the cases come to, and which bars that meets."""
    meant, others = [one for one in seen if one.case.meant], [one for one in seen if not one.case.meant]
    stops = sorted(one.stop_ms for one in meant if one.stop_ms is not None)
    pauses = sorted(one.pause_ms for one in seen if one.pause_ms is not None)
    errors = [one.resume_error for one in seen if one.resume_error is not None]
    kinds: dict[str, Any] = {}
    for kind in SHARES:
        mine = [one for one in seen if one.case.kind == kind]
        kinds[kind] = {
            "cases": len(mine),
            "yielded": sum(one.yielded for one in mine),
            "paused": sum(one.decided > 0 for one in mine),
        }
    result: dict[str, Any] = {
        "cases": len(seen),
        "seed": seed,
        "meant": len(meant),
        "yield_pct": _pct(sum(one.yielded for one in meant), len(meant)),
        "false_yield_pct": _pct(sum(one.yielded for one in others), len(others)),
        "echo_yields": kinds["echo of the agent"]["yielded"],
        "stop_ms": {
            "p50": _quantile(stops, 0.5),
            "p95": _quantile(stops, 0.95),
            "max": _quantile(stops, 1.0),
        },
        "pause_ms": {"max": _quantile(pauses, 1.0)},
        "silent_for_nothing_ms": {
            "p50": _quantile(sorted(float(one.paused_ms) for one in others), 0.5),
            "max": max((one.paused_ms for one in others), default=0),
        },
        "resumed": len(errors),
        "resume_error_samples": max(errors, default=0),
        "kinds": kinds,
        "wrong": [one.as_dict() for one in seen if one.yielded != one.case.meant],
    }
    return {**result, "bars": bars(result)}


def bars(result: dict[str, Any]) -> dict[str, bool]:
    """Return which bars the figures meet."""
    stop_ms, pause_ms = result["stop_ms"]["p95"], result["pause_ms"]["max"]
    return {
        f"yields to at least {YIELD_PCT:g} % of those who mean it": result["yield_pct"] >= YIELD_PCT,
        f"yields to at most {FALSE_PCT:g} % of all else": result["false_yield_pct"] <= FALSE_PCT,
        "never yields to its own echo": result["echo_yields"] == 0,
        f"silent {STOP_MS:g} ms after the voice begins (p95)": stop_ms is not None and stop_ms <= STOP_MS,
        f"paused {PAUSE_MS:g} ms after speech_started": pause_ms is not None and pause_ms <= PAUSE_MS,
        "goes on at the very sample": result["resumed"] > 0 and result["resume_error_samples"] == 0,
    }


def table(result: dict[str, Any]) -> str:
    """Return the figures as text."""
    stop = result["stop_ms"]
    lines = [f"{result['cases']} calls on the virtual clock, seed {result['seed']}"]
    for kind, one in result["kinds"].items():
        wish = "shall" if kind in MEANT else "shall not"
        lines.append(
            f"{kind:34}yielded to {one['yielded']} of {one['cases']} ({wish}), paused for {one['paused']}"
        )
    lines += [
        f"{'yielded to who meant it':34}{result['yield_pct']} %",
        f"{'yielded to all else':34}{result['false_yield_pct']} %",
        f"{'voice begins -> agent silent':34}p50 {stop['p50']}  p95 {stop['p95']}  max {stop['max']} ms",
        f"{'speech_started -> agent silent':34}max {result['pause_ms']['max']} ms",
        f"{'resumed':34}{result['resumed']} times, {result['resume_error_samples']} samples off",
    ]
    lines += [f"{'met' if met else 'MISSED':8}{bar}" for bar, met in result["bars"].items()]
    return "\n".join(lines)


def _pct(part: int, whole: int) -> float:
    return round(100 * part / max(1, whole), 2)


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None


# -- one case ---------------------------------------------------------------------------------------------
def _seen(call: Called) -> Seen:
    """Read a case from what the caller heard."""
    case, script, entries = call.case, call.script, call.entries
    frames = _followed(bytes(script.heard), call.made)
    confirmed = [entry for _, entry in entries if isinstance(entry, journal.BargeInConfirmed)]
    dismissed = [entry for _, entry in entries if isinstance(entry, journal.BargeInDismissed)]
    pauses = [
        frames.audible_after_ms(round((told_s - script.began_s) * pcm.RATE), paused_ms)
        for told_s, paused_ms in _paused_for(entries, call.started_s)
    ]
    stop_ms = None
    if case.sound and confirmed:
        voice_ms = voice_from(np.frombuffer(case.sound, "<i2")) or 0
        stop_ms = max(0.0, pcm.ms_of_samples(frames.audible_until - script.sound_at) - voice_ms)
    return Seen(
        case,
        yielded=bool(confirmed),
        decided=len(confirmed) + len(dismissed),
        reasons=tuple(entry.reason for entry in dismissed),
        stop_ms=stop_ms,
        pause_ms=max(pauses, default=None),
        paused_ms=sum(entry.paused_ms for entry in dismissed),
        resume_error=frames.error if frames.resumed else None,
    )


def _paused_for(
    entries: Sequence[tuple[float, journal.Entry]], started_s: Sequence[float]
) -> Iterator[tuple[float, int]]:
    """Yield when the bridge was told of each sound that it paused for, and for how long it did, in ms."""
    began_s = None
    for at_s, entry in entries:
        if isinstance(entry, journal.BargeInDeciding):
            began_s = max(told_s for told_s in started_s if told_s <= at_s)
        elif isinstance(entry, journal.BargeInConfirmed | journal.BargeInDismissed):
            if began_s is not None and entry.paused_ms:
                yield began_s, entry.paused_ms
            began_s = None


@dataclass(slots=True)
class _Frames:
    """The agent's first words in the caller's ear, 20 ms by 20 ms."""

    audible: list[tuple[int, int]] = field(default_factory=list)  # its frames: start, end of its last sound
    resumed: int = 0
    error: int = 0
    audible_until: int = 0

    def audible_after_ms(self, sample: int, paused_ms: int) -> float:
        """Return how far into a pause, told of at `sample` of the call, the agent could be heard."""
        until = sample + pcm.samples_of_ms(paused_ms)
        heard = [end for start, end in self.audible if sample < end and start < until]
        return max(0.0, round((max(heard, default=sample) - sample) * 1000 / pcm.RATE, 1))


def _followed(heard: bytes, made: bytes) -> _Frames:
    """Follow what was made through what was heard: each frame is the next of it, or silence."""
    result = _Frames()
    span = audible_span(made)
    probe = made[span.start * pcm.SAMPLE_BYTES : (span.start + pcm.FRAME_SAMPLES) * pcm.SAMPLE_BYTES]
    found = heard.find(probe)
    while found > 0 and found % pcm.SAMPLE_BYTES:
        found = heard.find(probe, found + 1)
    if found < 0:
        raise RtbridgeError("the agent was never heard")
    begin = found // pcm.SAMPLE_BYTES - span.start
    at, paused = 0, False
    for start in range(begin, pcm.samples_of(heard) - pcm.FRAME_SAMPLES + 1, pcm.FRAME_SAMPLES):
        frame = heard[start * pcm.SAMPLE_BYTES : (start + pcm.FRAME_SAMPLES) * pcm.SAMPLE_BYTES]
        want = made[at * pcm.SAMPLE_BYTES : (at + pcm.FRAME_SAMPLES) * pcm.SAMPLE_BYTES]
        if len(want) < len(frame):
            break  # said to its end
        if frame == want:
            result.resumed += paused
            paused, at = False, at + pcm.FRAME_SAMPLES
            loud = np.flatnonzero(np.abs(np.frombuffer(frame, "<i2").astype(np.int32)) > AUDIBLE)
            if len(loud):
                result.audible_until = start + int(loud[-1]) + 1
                result.audible.append((start, result.audible_until))
        elif not any(frame):
            paused = True
        else:  # another answer, or the wrong place
            place = made.find(frame)
            if place >= 0:
                result.resumed, result.error = (
                    result.resumed + 1,
                    max(result.error, abs(place // pcm.SAMPLE_BYTES - at)),
                )
            break
    return result
