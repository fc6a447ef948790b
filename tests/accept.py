"""`make accept`: every bar of the project at its full count, in parts that can be resumed, with JSON for each.

A part is one test file that has a full count, or a bench with its bars: a line in TESTS or in BENCHES (test_accept.py
holds that no test file with a full count is forgotten). A part that passed at this commit is not run again, so an
acceptance that was interrupted goes on where it was; `make accept ARGS="hostile bench"` runs only the parts whose
names hold one of the words. Each part prints its verdict when it has it. `accept/` holds each part's verdict
(`part_*.json`), its output (`part_*.log`), what its checks measured, and all of it together in `summary.json`, which
is written anew after every part. Exit code 1 when a part that was run failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mutations import bars as mutation_bars

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "accept"
SUMMARY: Final = "summary.json"
TAIL_LINES: Final = 25

Figures = dict[str, Any]
Verdict = dict[str, Any]  # passed, tail, and figures by name

TESTS: Final = (
    "tests/core/test_barge_in.py",
    "tests/core/test_schedules.py",
    "tests/core/test_schedules_by_hand.py",
    "tests/core/test_server_events.py",
    "tests/upstream/test_bad_events.py",
    "tests/agents/test_effects_kill.py",
    "tests/rtc/test_offer.py",
    "tests/rtc/test_peer_attacks.py",
    "tests/test_hostile.py",
    "tests/test_hostile_requests.py",
    "tests/test_hostile_call.py",
    "tests/test_schedules.py",
    "tests/test_truncation.py",
    "tests/test_truncation_on_wire.py",
    "tests/test_waits.py",
    "tests/test_waterfall.py",
    "tests/test_waterfall_on_wire.py",
    "tests/scenarios/test_injections.py",
    "tests/replay/test_stories.py",
    "tests/replay/test_stories_on_wire.py",
    "tests/replay/test_wire_impaired.py",
    "tests/engine/test_stock_openai_client.py",
    "tests/engine/test_stock_agents_sdk.py",
    "tests/browser/test_walking_call.py",
    "tests/browser/test_stock_browser_client.py",
)


def media_bars(figures: Figures) -> dict[str, bool]:
    """The media road: medians of 5 runs, stock aiortc and a paced control in the same run."""
    echo_ms, echo_ratio = figures["median"]["rtbridge"]["echo_p50_ms"], figures["ratio"]["echo_p50"]
    return {
        "CPU at most half of stock aiortc": figures["ratio"]["cpu"] <= 0.5,
        "late frames at most 1 percentage point above the control": figures["late_above_control_pct"] <= 1.0,
        "echo p50 at most 60 ms": echo_ms is not None and echo_ms <= 60,
        "echo p50 at most half of stock aiortc": echo_ratio is not None and echo_ratio <= 0.5,
    }


@dataclass(frozen=True)
class Bench:
    """A command that prints its figures as JSON, and which bars they meet."""

    command: tuple[str, ...]  # for this Python
    bars: Callable[[Figures], dict[str, bool]]


BENCHES: Final = {
    "bench_media": Bench(
        ("-m", "rtbridge", "bench", "media", "--calls", "8", "--seconds", "20", "--json"), media_bars
    ),
    "bench_bargein": Bench(("-m", "rtbridge", "bench", "bargein", "--json"), lambda figures: figures["bars"]),
    "bench_engine": Bench(
        ("-m", "rtbridge", "bench", "engine", "--calls", "10", "--json"), lambda figures: figures["bars"]
    ),
    "mutations": Bench(("tests/mutations.py", "--json"), mutation_bars),
    "bench_guardrail": Bench(
        ("-m", "rtbridge", "bench", "guardrail", "--cases", "200", "--json"), lambda figures: figures["bars"]
    ),
    "bench_replay": Bench(
        ("-m", "rtbridge", "bench", "replay", "--workers", "2", "--json"), lambda figures: figures["bars"]
    ),
}


def main(words: list[str]) -> int:
    """Run what has not passed at this commit yet; with words, only of the parts whose names hold one of them."""
    FOLDER.mkdir(exist_ok=True)
    commit = _git("rev-parse", "HEAD") + ("-dirty" if _git("status", "--porcelain") else "")
    chosen = [name for name in (*TESTS, *BENCHES) if not words or any(word in name for word in words)]
    if not chosen:
        print(f"no part's name holds {' or '.join(words)}; the parts are: {', '.join((*TESTS, *BENCHES))}")
        return 1
    failed = 0
    for name in chosen:
        verdict_file = _verdict_file(name)
        if _passed_already(verdict_file, commit):
            print(f"{name}: passed at this commit already", flush=True)
            continue
        print(f"{name}: …", flush=True)
        start_s = time.monotonic()
        verdict = _bench(name, BENCHES[name]) if name in BENCHES else _tests(name)
        verdict |= {"part": name, "commit": commit, "seconds": round(time.monotonic() - start_s, 1)}
        verdict_file.write_text(json.dumps(verdict, indent=2) + "\n")
        print(f"{name}: {'passed' if verdict['passed'] else 'FAILED'} in {verdict['seconds']} s", flush=True)
        if not verdict["passed"]:
            failed += 1
            print("\n".join(verdict["tail"]), flush=True)
        summarize(commit)
    summary = summarize(commit)
    print(f"{summary['passed']} of {summary['parts']} parts passed at {commit}; see {FOLDER / SUMMARY}")
    return 1 if failed else 0


def summarize(commit: str) -> dict[str, Any]:
    """Write the verdicts of all parts, with their commits and figures, to summary.json; return it.

    Only what passed at `commit` counts as passed; a verdict of an earlier commit is shown as what it is.
    """
    verdicts: dict[str, Verdict] = {}
    for name in (*TESTS, *BENCHES):
        found = _read(_verdict_file(name))
        verdicts[name] = {
            key: found[key] for key in ("passed", "commit", "seconds", "figures") if key in found
        }
    passed = sum(bool(one.get("passed")) and one.get("commit") == commit for one in verdicts.values())
    summary = {"commit": commit, "parts": len(verdicts), "passed": passed, "verdicts": verdicts}
    (FOLDER / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n")
    return summary


def _verdict_file(name: str) -> Path:
    return FOLDER / f"part_{name.removeprefix('tests/').removesuffix('.py').replace('/', '.')}.json"


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _passed_already(file: Path, commit: str) -> bool:
    verdict = _read(file)
    return bool(verdict.get("passed")) and verdict.get("commit") == commit and not commit.endswith("-dirty")


def _kept() -> dict[Path, int]:
    """Return the figures that checks have written (conftest.keep_figures), each with when, in ns."""
    files = (
        file for file in FOLDER.glob("*.json") if file.name != SUMMARY and not file.name.startswith("part_")
    )
    return {file: file.stat().st_mtime_ns for file in files}


def _tests(path: str) -> Verdict:
    before = _kept()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", path],
        cwd=ROOT,
        env={**os.environ, "RTBRIDGE_ACCEPT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    _verdict_file(path).with_suffix(".log").write_text(done.stdout + done.stderr)
    written = sorted(file for file, when_ns in _kept().items() if before.get(file) != when_ns)
    return {
        "passed": done.returncode == 0,
        "figures": {file.stem: _read(file) for file in written},
        "tail": done.stdout.splitlines()[-TAIL_LINES:],
    }


def _bench(name: str, bench: Bench) -> Verdict:
    done = subprocess.run(
        [sys.executable, *bench.command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    _verdict_file(name).with_suffix(".log").write_text(done.stdout + done.stderr)
    if done.returncode:
        return {"passed": False, "tail": done.stderr.splitlines()[-TAIL_LINES:]}
    figures = json.loads(done.stdout)
    bars = bench.bars(figures)
    missed = [bar for bar, met in bars.items() if not met]
    return {
        "passed": not missed,
        "bars": bars,
        "figures": {name: figures},
        "tail": [f"missed: {bar}" for bar in missed],
    }


def _git(*args: str) -> str:
    done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
