"""`rtbridge bench guardrail`: what of a forbidden sentence is heard, and what the gate costs, on the virtual clock.

An agent says a forbidden sentence at a random place of a random answer, while the classifier takes 50 to 1500 ms, fails
or hangs (guarded_call.py). Each case is played under `gate` and under `off`, which is the control that the gate's
delays are measured against, sentence by sentence in the two recordings; and under `observe`.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Final

from rtbridge import logs
from rtbridge.bench.engine import quantiles
from rtbridge.bench.guarded_call import SLOWEST_S, Call, Case, play
from rtbridge.core import journal, pcm
from rtbridge.errors import ReplayError

FRAME_MS: Final = pcm.FRAME_MS
STOPS_WITHIN_MS: Final = 250
SAFE_WITHIN_MS: Final = 1_500
UNDELAYED_SHARE: Final = 0.95


def run(args: argparse.Namespace) -> int:
    """Run the bench and print it. Returns 0, 2 for arguments that cannot be, 3 when a call broke."""
    if not 1 <= args.cases <= 10_000:
        print("bench guardrail: --cases 1..10000", file=sys.stderr)
        return 2
    logs.configure(level="error")  # classifiers fail on purpose, hundreds of times
    try:
        result = measure(args.cases, args.seed)
    except (ReplayError, ExceptionGroup) as error:
        print(f"bench guardrail: {error}", file=sys.stderr)
        return 3
    print(json.dumps(result, indent=2) if args.json else table(result))
    return 0


def measure(cases: int, seed: int = 0) -> dict[str, Any]:
    """Play so many cases under each policy and return the figures, with the bars that they meet."""
    first_ms: list[float] = []
    later_ms: list[float] = []
    observed_ms: list[float] = []
    safe_ms: list[tuple[float, float]] = []
    clean, heard_ms, ends = 0, 0.0, {"corrected": 0, "safe_phrase": 0, "silence": 0}
    for number in range(seed, seed + cases):
        case = Case.of(number)
        gate, off, observe = play(case, "gate"), play(case, "off"), play(case, "observe")
        clean += gate.flagged_ms == 0
        heard_ms += gate.flagged_ms
        delays = delays_ms(gate, off)
        first_ms += delays[:1]
        later_ms += delays[1:]
        if (tripped := gate.tripped()) is not None:
            ends[tripped[1].action] += 1
        if (began_ms := safe_phrase_ms(gate)) is not None:
            safe_ms.append(began_ms)
        if (stop_ms := stopped_ms(observe)) is not None:
            observed_ms.append(stop_ms)
    figures = {
        "cases": cases,
        "voice": "synthetic: each sentence at a sample value of its own",
        "gate_clean_cases": clean,
        "gate_flagged_heard_ms": round(heard_ms, 1),
        "gate_ends": ends,
        "gate_first_sample_delay_ms": quantiles([one / 1000 for one in first_ms]),
        "gate_later_sentences": len(later_ms),
        "gate_later_undelayed": sum(one <= 0 for one in later_ms),
        "gate_later_delay_ms": quantiles([one / 1000 for one in later_ms if one > 0]),
        "safe_phrase_after_first_sample_ms": quantiles([one / 1000 for one, _ in safe_ms]),
        "safe_phrase_after_check_began_ms": quantiles([one / 1000 for _, one in safe_ms]),
        "observe_stopped_cases": len(observed_ms),
        "observe_stop_ms": quantiles([one / 1000 for one in observed_ms]),
    }
    return figures | {"bars": bars(figures)}


def delays_ms(gate: Call, off: Call) -> list[float]:
    """Return what the gate added before the first sentence, and before each later one that was heard, beyond that.

    Every sentence that is heard through the gate passed within 1.5 s, and its transcript came at 2x or more.
    """
    found: list[float] = []
    before = 0.0
    for sentence in range(len(gate.case.sentences)):
        held, free = gate.onset_ms(sentence), off.onset_ms(sentence)
        if held is None or free is None:
            break
        found.append(round(held - free - before, 3))
        before = held - free
    return found


def stopped_ms(observe: Call) -> float | None:
    """Return how long after the verdict the answer was still heard; None where the verdict came too late or not."""
    tripped = observe.tripped()
    if tripped is None or tripped[1].heard_ms == 0:
        return None
    return max(0.0, observe.last_ms() - tripped[0])


def safe_phrase_ms(gate: Call) -> tuple[float, float] | None:
    """Return how soon a safe phrase was heard in place of a whole answer, or None where that is not what happened.

    That is after the answer's first sample came, and after the check began that was not done in time: in between, the
    text of its first sentence was still on its way.
    """
    tripped, began_ms = gate.tripped(), gate.other_ms()
    if tripped is None or began_ms is None or tripped[1].action != "safe_phrase" or tripped[1].heard_ms:
        return None
    pending_ms = next(
        at for at, one in gate.entries if isinstance(one, journal.GuardrailJudged) and one.state == "pending"
    )
    return began_ms - gate.first_audio_ms, began_ms - pending_ms


def bars(figures: dict[str, Any]) -> dict[str, bool]:
    """Hold the figures against what the gate promises."""
    later, stops, safe = (
        figures[name]
        for name in ("gate_later_sentences", "observe_stop_ms", "safe_phrase_after_check_began_ms")
    )
    return {
        "gate: 0 ms of flagged words heard in every case": figures["gate_clean_cases"] == figures["cases"],
        f"gate: 0 ms added before {UNDELAYED_SHARE:.0%} of later sentences, passed within {SLOWEST_S:g} s": later
        > 0
        and figures["gate_later_undelayed"] >= UNDELAYED_SHARE * later,
        f"gate: a safe phrase begins at most {SAFE_WITHIN_MS} ms after a check that is not answered": not safe
        or safe["max"] <= SAFE_WITHIN_MS,
        f"observe: silent at most {STOPS_WITHIN_MS} ms after the verdict": bool(stops)
        and stops["max"] <= STOPS_WITHIN_MS,
    }


def table(result: dict[str, Any]) -> str:
    """Return the figures as text."""
    lines = [f"{result['cases']} cases, {result['voice']}"]
    for name, value in result.items():
        if name in ("cases", "voice", "bars"):
            continue
        shown = "  ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else value
        lines.append(f"{name:36}{shown}")
    lines += [f"{'met' if met else 'MISSED':8}{bar}" for bar, met in result["bars"].items()]
    return "\n".join(lines)
