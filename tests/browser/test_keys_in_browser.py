"""Keys that a browser presses: RTCDTMFSender puts telephone-events into the media, the agent hears of each key once."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from browser_rig import Launch, script

pytestmark = pytest.mark.browser

CONNECT_MS = 20_000
ANSWER_MS = 30_000
KEEP = """
const Stock = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Stock {
  constructor(...rest) { super(...rest); window.peer = this; }
};
"""


def test_keys_of_a_browser_reach_the_agent_as_words(
    bridge: str, launch: Launch, watch: Callable[[Page], Page]
) -> None:
    page = watch(launch().new_page())
    page.add_init_script(script("microphone.js"))
    page.add_init_script(KEEP)
    page.goto(f"{bridge}/?scenario=simple_handoff")
    page.get_by_role("button", name="Connect").click()
    expect(page.locator("#state")).to_have_attribute(
        "data-state", re.compile("listening|speaking"), timeout=CONNECT_MS
    )
    assert page.evaluate("() => peer.getSenders().find(one => one.track).dtmf.canInsertDTMF")
    page.evaluate("() => peer.getSenders().find(one => one.track).dtmf.insertDTMF('1234*0#', 100, 70)")
    said = page.locator("#transcript [data-role=user] .text").first
    expect(said).to_have_text("The caller pressed 1 2 3 4 * 0 #.", timeout=ANSWER_MS)
