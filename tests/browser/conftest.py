"""A real Chromium, the bridge as a process of its own, and the speech of the stories.

The browser is the system's: nothing is downloaded. Pages get the page's own Content-Security-Policy, which forbids
`wait_for_function` (it evaluates strings): tests wait with `expect`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

from browser_rig import FLAGS, ROOT, Launch, find_chromium
from serve_rig import serving_engine


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
    with serving_engine(tmp_path_factory.mktemp("serve"), artifacts / "serve.jsonl") as url:
        yield url


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
