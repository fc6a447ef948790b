"""A real Chromium, the bridge as a process of its own, and the speech of the stories.

The browser is the system's: nothing is downloaded. Pages get the page's own Content-Security-Policy, which forbids
`wait_for_function` (it evaluates strings): tests wait with `expect`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

from browser_rig import FLAGS, ROOT, Launch, find_chromium

START_S = 120.0  # the engine loads its models first
STOP_S = 20.0


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture
def launch(playwright: Playwright) -> Iterator[Launch]:
    """Start browsers with further flags; all are closed at the end."""
    browsers: list[Browser] = []

    def start(*flags: str) -> Browser:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=[*FLAGS, *flags], ignore_default_args=["--mute-audio"]
        )
        browsers.append(browser)
        return browser

    yield start
    for browser in browsers:
        browser.close()


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """One browser for all tests that need no flags of their own; each takes a context of its own."""
    browser = playwright.chromium.launch(
        executable_path=find_chromium(), args=FLAGS, ignore_default_args=["--mute-audio"]
    )
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """The folder of what tests keep: screenshots and the bridge's log."""
    folder = ROOT / "out" / "browser"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def bridge(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run `rtbridge serve` on the engine, on a free port; give its URL; end it as an operator would."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    own = ("RTBRIDGE_", "OPENAI_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    environment["PYTHONPATH"] = str(ROOT)
    log = artifacts / "serve.jsonl"
    command = [sys.executable, "-m", "rtbridge", "serve", "--port", str(port), "--upstream", "engine"]
    with log.open("wb") as lines:
        folder = tmp_path_factory.mktemp("serve")
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


@pytest.fixture
def watch() -> Iterator[Callable[[Page], Page]]:
    """Watch pages: no test may leave an error in a page's console."""
    seen: list[str] = []

    def keep(message: ConsoleMessage) -> None:
        # A refused HTTP request is written to the console by Chromium itself; tests that provoke one assert on it.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            seen.append(message.text)

    def start(page: Page) -> Page:
        page.on("console", keep)
        page.on("pageerror", lambda error: seen.append(str(error)))
        return page

    yield start
    assert seen == []
