"""Replays run for a coding assistant, and what they left behind.

Each run is a process of its own: `rtbridge replay` as a person would run it. So it sees the files as they are now, what
it prints cannot reach the protocol, and it can be stopped. One runs at a time. Its folder `replay_0001`, `replay_0002`
and so on lies in the `out` folder; the last 20 are kept.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from rtbridge.errors import ReplayError

MOST_RUNS: Final = 20
MOST_CALLS: Final = 100
SHOWN_BYTES: Final = 16 * 1024  # the end of what a run printed
VERDICTS: Final = {0: "passed", 1: "failed", 2: "invalid", 3: "not carried out"}

_RUN: Final = re.compile(r"replay_(\d{4,})")


class Replays:
    """The runs of one `out` folder."""

    def __init__(self, root: Path, out: Path, *, timeout_s: float) -> None:
        """`root` holds the scenarios; `out` is made when the first run needs it."""
        self._root = root
        self._out = out.resolve()
        self._timeout_s = timeout_s
        self._one = asyncio.Lock()

    async def run(self, path: Path) -> dict[str, Any]:
        """Play a story or all below a folder, which must be inside the root; return verdict, failures and artifacts.

        Raises ReplayError when it takes too long. Cancelling it ends the process.
        """
        async with self._one:
            folder = self._new_folder()
            command = [sys.executable, "-m", "rtbridge", "replay", str(path), "--out", str(folder)]
            process = await asyncio.create_subprocess_exec(
                *command,
                "--scenarios",
                str(self._root),
                "--log-level",
                "error",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            try:
                async with asyncio.timeout(self._timeout_s):
                    printed = await _end_of(process)
                    code = await process.wait()
            except TimeoutError:
                raise ReplayError(
                    f"{path} took longer than {self._timeout_s:g} s and was stopped; play fewer stories, or set "
                    "RTBRIDGE_MCP_REPLAY_TIMEOUT_S"
                ) from None
            finally:
                if process.returncode is None:
                    with suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
        stories = [_verdict(self._out, file) for file in sorted(folder.glob("*/turns.json"))]
        return {
            "verdict": VERDICTS.get(code, f"ended with code {code}"),
            "stories": stories,
            "printed": printed,
            "artifacts": str(folder),
        }

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls of the runs in `out`, those of the command line too, newest first, at most 100."""
        found = [*self._out.glob("*/turns.json"), *self._out.glob("replay_*/*/turns.json")]
        found.sort(key=lambda file: file.stat().st_mtime, reverse=True)
        return [_call(self._out, file) for file in found[:MOST_CALLS]]

    def transcript(self, call_id: str) -> dict[str, Any] | None:
        """Return what was said and heard in one of `calls()`; None when it is not among them."""
        name = call_id.removeprefix("replay:")
        file = (self._out / name / "turns.json").resolve()
        if not file.is_relative_to(self._out) or not file.is_file():
            return None
        told = _read(file)
        said = [{"who": "agent", "text": told.get("greeting", "")}]
        for turn in told.get("turns", []):
            typed = turn.get("said") or turn.get("typed") or turn.get("noise") or ""
            said.append({"who": "user", "text": str(typed)})
            said += [
                {"who": heard["agent"] or "agent", "text": heard["text"]} for heard in turn.get("heard", [])
            ]
        return {**_call(self._out, file), "transcript": [one for one in said if one["text"]]}

    def _new_folder(self) -> Path:
        self._out.mkdir(parents=True, exist_ok=True)
        runs = sorted(
            (int(match[1]), folder)
            for folder in self._out.iterdir()
            if (match := _RUN.fullmatch(folder.name))
        )
        for _, old in runs[: max(0, len(runs) - MOST_RUNS + 1)]:
            shutil.rmtree(old, ignore_errors=True)
        folder = self._out / f"replay_{(runs[-1][0] if runs else 0) + 1:04d}"
        folder.mkdir()
        return folder


async def _end_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    kept = b""
    while chunk := await process.stdout.read(SHOWN_BYTES):
        kept = (kept + chunk)[-SHOWN_BYTES:]
    return kept.decode(errors="replace")


def _verdict(out: Path, file: Path) -> dict[str, Any]:
    told = _read(file)
    return {
        **_call(out, file),
        "failures": told.get("failures", []),
        "notes": told.get("notes", []),
        "handoffs": told.get("handoffs", []),
        "tools": told.get("tools", []),
        "metrics": told.get("metrics", {}),
    }


def _call(out: Path, file: Path) -> dict[str, Any]:
    told = _read(file)
    return {
        "id": f"replay:{file.parent.relative_to(out).as_posix()}",
        "story": told.get("story", ""),
        "scenario": told.get("scenario", ""),
        "passed": told.get("passed"),
        "ended": told.get("ended"),
        "duration_ms": told.get("duration_ms"),
        "artifacts": str(file.parent),
    }


def _read(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
