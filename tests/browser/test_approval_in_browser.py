"""A person approves a tool call in a real Chromium, and lets one expire: page, WebRTC and bridge are the real ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browser_rig import ROOT, script

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser, watch: Callable[[Page], Page], tmp_path: Path) -> Iterator[Page]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    command = [sys.executable, str(ROOT / "tests" / "browser" / "till.py"), str(tmp_path)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
    ) as till:
        assert till.stdout is not None
        context = chromium.new_context(permissions=["microphone"])
        page = watch(context.new_page())
        page.add_init_script(script("microphone.js"))
        page.goto(till.stdout.readline().strip())
        page.get_by_role("button", name="Connect").click()
        expect(page.locator(".text", has_text="Welcome.")).to_be_visible(timeout=20_000)
        yield page
        context.close()
        till.communicate(timeout=20)  # closes its input, at which it leaves
        assert till.returncode == 0


def asked(page: Page) -> Locator:
    words = page.get_by_label("Message to the agent")
    words.fill("refund please")
    words.press("Enter")
    card = page.get_by_role("group", name="Approval of refund")
    expect(card).to_be_visible(timeout=20_000)
    expect(card).to_contain_text("refund needs your approval")
    expect(card.get_by_role("timer")).to_have_text("6 s left")
    expect(card.get_by_label("Arguments")).to_contain_text('"cents": 900')
    return card


def test_a_tool_call_is_approved_on_the_page_by_keyboard_and_then_runs(page: Page, artifacts: Path) -> None:
    card = asked(page)
    expect(card.get_by_label("Arguments")).to_contain_text("<img src=x")
    assert card.locator("img").count() == 0
    expect(page).not_to_have_title("owned")
    expect(page.locator(".tool .took")).to_have_text("waiting…")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.screenshot(path=str(artifacts / f"approval_{width}.png"))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    card.get_by_label("Arguments").focus()
    page.keyboard.press("Tab")
    expect(card.get_by_role("button", name="Approve refund")).to_be_focused()
    page.keyboard.press("Enter")
    expect(card).to_contain_text("Approved here")
    expect(card.locator(".outcome")).to_be_focused()
    expect(card.get_by_role("button")).to_have_count(0)
    expect(page.locator(".text", has_text="It is done.")).to_be_visible(timeout=20_000)
    page.screenshot(path=str(artifacts / "approval_done.png"))


def test_a_tool_call_that_nobody_approves_times_out_on_the_page_and_is_not_run(page: Page) -> None:
    card = asked(page)
    expect(card.get_by_role("timer")).to_have_text("3 s left", timeout=20_000)
    expect(card).to_contain_text("Timed out: nobody approved it, so it was not run", timeout=20_000)
    expect(card.get_by_role("button")).to_have_count(0)
    expect(page.locator(".text", has_text="It was not done.")).to_be_visible(timeout=20_000)
