"""The bridge as operators run it: `rtbridge serve` in a process of its own, with the engine and all its models."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
START_S = 120.0  # the engine loads its models first
STOP_S = 20.0


@contextmanager
def serving_engine(folder: Path, log: Path) -> Iterator[str]:
    """Run `rtbridge serve` on a free port, what it says in `log`; give its URL; end it as an operator would."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    own = ("RTBRIDGE_", "OPENAI_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", "rtbridge", "serve", "--port", str(port), "--upstream", "engine"]
    with log.open("wb") as lines:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=lines, stderr=lines)
        try:
            _await_ready(process, url, log)
            yield url
        finally:
            _stop(process, log)


def _stop(process: subprocess.Popen[bytes], log: Path) -> None:
    # The first SIGTERM drains, and a call whose browser just went away is waited for; a second one hangs it up.
    # Two at once would be one, so the second follows when the first did not suffice.
    for patience_s in (1.0, STOP_S):
        process.terminate()
        try:
            process.wait(patience_s)
            return
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    process.wait()
    pytest.fail(f"rtbridge serve did not stop within {STOP_S:.0f} s of a second SIGTERM; see {log}")


def _await_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(int(START_S / 0.1)):
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"rtbridge serve ended with {process.returncode}:\n{log.read_text()[-4000:]}")
    pytest.fail(f"rtbridge serve was not ready within {START_S:.0f} s:\n{log.read_text()[-4000:]}")
