"""What `rtbridge replay`, `record` and `talk` take. Nothing heavy is imported here: all help comes this way."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

MOST_RUNS: Final = 1000
MOST_WORKERS: Final = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `rtbridge replay` takes."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a story, or a folder of stories")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", default=Path("out"), help="folder for recordings and reports (out)"
    )
    parser.add_argument("--wire", metavar="URL", help="call a running bridge through WebRTC, in real time")
    parser.add_argument("--scenarios", type=Path, metavar="DIR", help="folder of scenario folders")
    parser.add_argument(
        "-n", type=int, dest="workers", metavar="N", default=1, help="stories side by side (1)"
    )
    parser.add_argument("--repeat", type=int, metavar="N", default=1, help="play every story so often (1)")
    parser.add_argument(
        "--min-pass", type=float, metavar="SHARE", default=1.0, help="of the runs of a story, 0 to 1 (1.0)"
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="PATH",
        help="turns.json, or the --out folder, that must not become slower",
    )
    parser.add_argument("--update", action="store_true", help="write the stories' golden journals anew")
    parser.add_argument("--jobs-summary", action="store_true", help="end with one table of all stories")


def add_record_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `rtbridge record` takes."""
    parser.add_argument(
        "session", metavar="SESSION", help="folder of a recorded call, or its id under RTBRIDGE_RECORD_DIR"
    )
    parser.add_argument(
        "--into",
        type=Path,
        metavar="PATH",
        required=True,
        help="the new story's file, or a folder for it: a scenario's, or its stories",
    )


def add_talk_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `rtbridge talk` takes."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="audio; - reads raw 16-bit mono PCM from stdin"
    )
    parser.add_argument(
        "--url", help="a running bridge, like http://127.0.0.1:8080; none: all in this process"
    )
    parser.add_argument("--scenario", help="whom to call")
    parser.add_argument("--agent", help="who shall answer")
    parser.add_argument(
        "--scenarios", type=Path, metavar="DIR", help="folder of scenario folders; without --url"
    )
    parser.add_argument("--out", type=Path, metavar="WAV", default=Path("answer.wav"), help="what was heard")
    parser.add_argument("--rate", type=int, default=24_000, help="samples a second of stdin (24000)")
    parser.add_argument("--now", action="store_true", help="speak at once, greeting or not")


def problems_of(args: argparse.Namespace) -> list[str]:
    """Return what cannot be done of what was asked for, in words."""
    problems = []
    if not 1 <= args.workers <= MOST_WORKERS:
        problems.append(f"-n {args.workers}: between 1 and {MOST_WORKERS} stories can be played side by side")
    if not 1 <= args.repeat <= MOST_RUNS:
        problems.append(f"--repeat {args.repeat}: a story is played 1 to {MOST_RUNS} times")
    if not 0 <= args.min_pass <= 1:
        problems.append(f"--min-pass {args.min_pass:g}: a share of the runs, between 0 and 1")
    if args.update and args.wire:
        problems.append("--update: golden journals are made on the virtual road; leave --wire out")
    return problems
