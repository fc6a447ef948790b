"""`rtbridge bench replay`: how many seconds of call a second the stories of all scenarios are played in.

Several workers play every story once, on the virtual clock and with the engine, as `rtbridge replay -n` does. The time
that a worker takes to load its models is not counted: it runs from the first story's begin to the last one's end.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rtbridge import logs
from rtbridge.agents.scenario import default_root, load_scenarios
from rtbridge.errors import RtbridgeError
from rtbridge.replay.caller_voice import CallerVoice
from rtbridge.replay.crew import perform
from rtbridge.replay.outcome import Job, Outcome
from rtbridge.replay.read_story import load_story
from rtbridge.replay.stage import Road
from rtbridge.settings import Settings

RATE: Final = 20.0  # seconds of call a second
LEAST_STORIES: Final = 24
LEAST_S: Final = 1800.0  # of call, all stories together
MOST_WORKERS: Final = 16


def run(args: argparse.Namespace) -> int:
    """Run the bench and print it. Returns 0, 2 for arguments that cannot be, 3 when it could not be carried out."""
    if not 1 <= args.workers <= MOST_WORKERS:
        print(f"bench replay: --workers 1..{MOST_WORKERS}", file=sys.stderr)
        return 2
    try:
        result = measured(_outcomes(default_root(), args.workers), args.workers)
    except (RtbridgeError, OSError) as error:
        print(f"bench replay: {error}", file=sys.stderr)
        return 3
    print(json.dumps(result, indent=2) if args.json else table(result))
    return 0


def _outcomes(root: Path, workers: int) -> list[Outcome]:
    settings = Settings()
    logs.configure(form=settings.log_format, level=settings.log_level, secrets=settings.keys())
    scenarios = load_scenarios(root, tool_timeout_s=settings.tool_timeout_s)
    voice = CallerVoice.among(scenarios.values(), settings.model_dir)
    graphs = {name: tuple(scenario.agents) for name, scenario in scenarios.items()}
    stories = [load_story(file, graphs, voice) for file in sorted(root.glob("*/stories/*.toml"))]
    stories = [story for story in stories if not story.upstream.in_real_time]
    # The longest first: else one worker is left with it when the others are done.
    stories.sort(key=lambda story: len(story.turns), reverse=True)
    road = Road(settings, root, frozenset(story.scenario for story in stories), None, False)
    jobs = [Job(story.file, 1, None) for story in stories]
    outcomes = []
    for outcome in perform(jobs, road, workers=workers):
        outcomes.append(outcome)
        print(outcome.line or f"{outcome.story}: {outcome.broke}", file=sys.stderr, flush=True)
    return outcomes


def measured(outcomes: Sequence[Outcome], workers: int) -> dict[str, Any]:
    """Return the figures of runs that were all carried out by `workers` processes, with the bars they meet."""
    call_s = sum(outcome.duration_ms for outcome in outcomes) / 1000
    took_s = max(outcome.ended_s for outcome in outcomes) - min(outcome.began_s for outcome in outcomes)
    rate = call_s / took_s if took_s else 0.0
    return {
        "stories": len(outcomes),
        "passed": sum(outcome.passed for outcome in outcomes),
        "workers": workers,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "call_s": round(call_s, 1),
        "took_s": round(took_s, 1),
        "call_s_per_s": round(rate, 1),
        "bars": {
            "every story passes": all(outcome.passed for outcome in outcomes),
            f"at least {LEAST_STORIES} stories": len(outcomes) >= LEAST_STORIES,
            f"over {LEAST_S / 60:.0f} minutes of call": call_s > LEAST_S,
            f"at least {RATE:.0f} s of call a second": rate >= RATE,
        },
    }


def table(result: dict[str, Any]) -> str:
    """Return the figures as text."""
    lines = [
        f"{result['passed']} of {result['stories']} stories passed; {result['call_s']:.0f} s of calls in "
        f"{result['took_s']:.0f} s by {result['workers']} workers on {result['cores']} cores: "
        f"{result['call_s_per_s']:.1f} s a second"
    ]
    lines += [f"{'met' if met else 'MISSED':8}{bar}" for bar, met in result["bars"].items()]
    return "\n".join(lines)
