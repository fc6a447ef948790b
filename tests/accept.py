"""`make accept`: every bar of the project at its full count, in parts that can be resumed, with JSON for each.

A part is one test file that has a full count, or a bench with its bars. A part that passed at this commit is not run
again, so an acceptance that was interrupted goes on where it was. What each part measured lies beside its verdict in
`accept/`. Exit code 1 when a part failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "accept"

TESTS: Final = (
    "tests/core/test_barge_in.py",
    "tests/core/test_schedules.py",
    "tests/core/test_server_events.py",
    "tests/upstream/test_bad_events.py",
    "tests/agents/test_effects.py",
    "tests/rtc/test_offer.py",
    "tests/rtc/test_peer_attacks.py",
    "tests/test_hostile.py",
    "tests/test_hostile_requests.py",
    "tests/test_hostile_call.py",
    "tests/replay/test_stories.py",
    "tests/engine/test_stock_openai_client.py",
    "tests/engine/test_stock_agents_sdk.py",
    "tests/browser/test_walking_call.py",
    "tests/browser/test_stock_browser_client.py",
)
BENCH: Final = ("-m", "rtbridge", "bench", "media", "--calls", "8", "--seconds", "20", "--json")


def main() -> int:
    """Run what has not passed at this commit yet."""
    FOLDER.mkdir(exist_ok=True)
    commit = _git("rev-parse", "HEAD") + ("-dirty" if _git("status", "--porcelain") else "")
    failed = []
    for name in (*TESTS, "bench_media"):
        verdict_file = FOLDER / f"part_{Path(name).stem}.json"
        if _passed_already(verdict_file, commit):
            print(f"{name}: passed at this commit already")
            continue
        start_s = time.monotonic()
        verdict = _bench() if name == "bench_media" else _tests(name)
        verdict |= {"part": name, "commit": commit, "seconds": round(time.monotonic() - start_s, 1)}
        verdict_file.write_text(json.dumps(verdict, indent=2) + "\n")
        print(f"{name}: {'passed' if verdict['passed'] else 'FAILED'} in {verdict['seconds']} s", flush=True)
        if not verdict["passed"]:
            failed.append(name)
            print("\n".join(verdict["tail"]))
    return 1 if failed else 0


def _passed_already(file: Path, commit: str) -> bool:
    try:
        verdict = json.loads(file.read_text())
    except (OSError, ValueError):
        return False
    return bool(verdict.get("passed")) and verdict.get("commit") == commit and not commit.endswith("-dirty")


def _tests(path: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", path],
        cwd=ROOT,
        env={**os.environ, "RTBRIDGE_ACCEPT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    (FOLDER / f"part_{Path(path).stem}.log").write_text(done.stdout + done.stderr)
    return {"passed": done.returncode == 0, "tail": done.stdout.splitlines()[-25:]}


def _bench() -> dict[str, Any]:
    """Measure the media road against its bars: medians of 5 runs, stock aiortc and a paced control in the same run."""
    done = subprocess.run([sys.executable, *BENCH], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"passed": False, "tail": done.stderr.splitlines()[-25:]}
    figures = json.loads(done.stdout)
    echo_ms = figures["median"]["rtbridge"]["echo_p50_ms"]
    bars = {
        "CPU at most half of stock aiortc": figures["ratio"]["cpu"] <= 0.5,
        "late frames at most 1 percentage point above the control": figures["late_above_control_pct"] <= 1.0,
        "echo p50 at most 60 ms": echo_ms is not None and echo_ms <= 60,
        "echo p50 at most half of stock aiortc": figures["ratio"]["echo_p50"] <= 0.5,
    }
    missed = [bar for bar, met in bars.items() if not met]
    return {
        "passed": not missed,
        "bars": bars,
        "figures": figures,
        "tail": [f"missed: {bar}" for bar in missed],
    }


def _git(*args: str) -> str:
    done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
