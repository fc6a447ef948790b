"""What browser tests share: where things are, how Chromium is started, and the speech of the stories."""

from __future__ import annotations

import base64
import re
import shutil
import wave
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
SCENARIOS = ROOT / "scenarios"

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    # The bridge on loopback offers 127.0.0.1 alone, which Chromium leaves out unless told.
    "--allow-loopback-in-peer-connection",
)

Launch = Callable[..., Browser]


def find_chromium() -> str:
    """Return the path of the system's Chromium; fail in words when there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        pytest.fail(f"no browser: none of {', '.join(names)} is in PATH; `make test` installs chromium")
    return found


def script(name: str) -> str:
    """Return the text of an init script of tests/browser."""
    return (ROOT / "tests" / "browser" / name).read_text()


def speech(pattern: str, scenario: str = "simple_handoff") -> Path:
    """Return the first WAV of a scenario's stories whose name matches `pattern`."""
    folder = SCENARIOS / scenario / "audio"
    names = sorted(path.name for path in folder.glob("*.wav"))
    found = [name for name in names if re.search(pattern, name)]
    assert found, f"no WAV like {pattern!r} in {folder}: there are {names}"
    return folder / found[0]


def as_base64(path: Path) -> str:
    """Return a file for a page's `rig.say`."""
    return base64.b64encode(path.read_bytes()).decode()


def with_silence(path: Path, to: Path, *, before_s: float, after_s: float) -> Path:
    """Write a WAV with silence around it: for a fake device that plays a file from the moment it is opened."""
    with wave.open(str(path)) as source:
        shape = source.getparams()
        words = source.readframes(shape.nframes)

    def silence(seconds: float) -> bytes:
        return bytes(int(seconds * shape.framerate) * shape.sampwidth * shape.nchannels)

    with wave.open(str(to), "wb") as out:
        out.setparams(shape)
        out.writeframes(silence(before_s) + words + silence(after_s))
    return to
