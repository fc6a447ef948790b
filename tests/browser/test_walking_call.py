"""The walking call, as a person makes it: a page, a voice, an agent that answers, another that takes over.

Chromium, aiortc, the engine's ears and its voice are real. The caller's speech is made by another program than the
engine's voice, and each utterance begins when the page says that the agent has fallen silent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser_rig import Launch, as_base64, script, speech, with_silence

pytestmark = pytest.mark.browser

CONNECT_MS = 20_000
ANSWER_MS = 30_000  # speech-to-text, wits and speech on a shared machine
SPEAK_MS = 60_000  # the longest answer, spoken
SILENT_ENERGY = 1e-4  # totalAudioEnergy of a second of speech at -30 dBFS is ten times that


def _agent_falls_silent(page: Page) -> None:
    expect(page.locator("#state")).to_have_attribute("data-state", "listening", timeout=SPEAK_MS)


def _await_answer(page: Page, agent: str, before: int) -> str:
    """Wait until a further item of `agent` was heard to its end and it has fallen silent; return its words."""
    spoken = page.locator(f"#transcript [data-role=assistant][data-speaker={agent}]")
    expect(spoken.nth(before)).to_be_visible(timeout=ANSWER_MS)
    expect(spoken.nth(before)).to_have_attribute("data-heard", "whole", timeout=SPEAK_MS)
    _agent_falls_silent(page)
    return spoken.nth(before).locator(".text").inner_text()


def _say(page: Page, wav: Path) -> None:
    page.evaluate("wav => rig.say(wav)", as_base64(wav))


def _energy(page: Page) -> float:
    return float(page.evaluate("() => rig.energy()"))


def _connect(page: Page) -> None:
    page.get_by_role("button", name="Connect").click()
    expect(page.locator("#state")).to_have_attribute(
        "data-state", re.compile("listening|thinking|speaking"), timeout=CONNECT_MS
    )


def test_a_caller_is_greeted_handed_over_and_hears_a_haiku(
    bridge: str, launch: Launch, watch: Callable[[Page], Page], artifacts: Path
) -> None:
    page = watch(launch().new_page(viewport={"width": 1280, "height": 800}))
    page.add_init_script(script("microphone.js"))
    page.goto(f"{bridge}/?scenario=simple_handoff")
    expect(page.locator("#demo")).to_be_visible()
    agent = page.locator("[data-agent]")

    _connect(page)
    greeting = _await_answer(page, "greeter", 0)
    assert "haiku" in greeting.lower()
    expect(agent).to_have_attribute("data-agent", "greeter")
    heard = _energy(page)
    assert heard > SILENT_ENERGY, "the greeting was on the page and not in the ear"

    _say(page, speech("yes_please"))
    expect(agent).to_have_attribute("data-agent", "haikuWriter", timeout=ANSWER_MS)
    _await_answer(page, "haikuWriter", 0)
    expect(page.locator("#transcript [data-role=user] .text").first).to_contain_text(
        re.compile("please", re.I)
    )
    expect(page.locator("#transcript [data-role=handoff]")).to_contain_text("haikuWriter")
    assert _energy(page) > heard + SILENT_ENERGY
    heard = _energy(page)

    _say(page, speech("topic_ocean"))
    haiku = _await_answer(page, "haikuWriter", 1)
    # Before a haiku on something it has no haiku about comes one line that names it; behind each comes a question.
    lines = [line for line in haiku.splitlines() if line.strip() and "?" not in line]
    lead_in = [line for line in lines if line.endswith((".", "!")) and line is lines[0]]
    assert len(lines) - len(lead_in) == 3, f"a haiku has three lines, this is {haiku!r}"
    assert _energy(page) > heard + SILENT_ENERGY
    expect(page.locator("#transcript .unheard:visible")).to_have_count(0)
    expect(page.locator("#transcript [data-role=user]")).to_have_count(2)
    roles = page.locator("#transcript > li:visible").evaluate_all("all => all.map(one => one.dataset.role)")
    assert [role for role in roles if role != "tool"] == [
        *("assistant", "user", "assistant", "handoff", "assistant", "user", "assistant")
    ]
    page.screenshot(path=artifacts / "walking_call.png")

    page.get_by_role("button", name="Disconnect").click()
    expect(page.locator("#state")).to_contain_text("you hung up")


def test_the_supervisor_tells_why_the_bill_was_high_and_its_tool_call_can_be_read(
    bridge: str, launch: Launch, watch: Callable[[Page], Page], artifacts: Path
) -> None:
    page = watch(launch().new_page(viewport={"width": 1280, "height": 1000}))
    page.add_init_script(script("microphone.js"))
    page.goto(f"{bridge}/?scenario=chat_supervisor")
    _connect(page)
    assert _await_answer(page, "chatAgent", 0).strip() == "Hi, you've reached NewTelco, how can I help you?"
    heard = _energy(page)
    assert heard > SILENT_ENERGY

    _say(page, speech("why_so_high", "chat_supervisor"))
    assert "phone number" in _await_answer(page, "chatAgent", 1)
    assert _energy(page) > heard + SILENT_ENERGY
    heard = _energy(page)

    _say(page, speech("phone_1246", "chat_supervisor"))
    answers = page.locator("#transcript [data-role=assistant][data-speaker=chatAgent]")
    answer = answers.filter(has_text=re.compile(r"\$8\.00"))
    expect(answer).to_have_attribute("data-heard", "whole", timeout=SPEAK_MS)
    _agent_falls_silent(page)
    expect(answer).to_contain_text("$8.00 for international calls and $4.00 for data overage")
    assert _energy(page) > heard + SILENT_ENERGY

    tools = page.locator("#transcript [data-role=tool]")
    names = tools.evaluate_all("all => all.map(one => [one.dataset.by ?? '', one.dataset.tool])")
    assert names == [["", "getNextResponseFromSupervisor"], ["supervisorAgent", "getUserAccountInfo"]]
    nested = tools.nth(1)
    expect(nested.locator("summary")).to_contain_text("[supervisorAgent] function call:")
    nested.locator("summary").click()
    given, result = (json.loads(nested.locator("pre").nth(n).inner_text()) for n in (0, 1))
    assert given == {"phone_number": "(206) 135-1246"}
    assert result["account_id"] == "NT-123456"
    callers = page.locator("#transcript [data-role=user] .text")
    expect(callers.first).to_contain_text(re.compile("bill so high", re.I))
    page.screenshot(path=artifacts / "supervisor_call.png", full_page=True)


def test_a_turn_through_the_browsers_own_microphone_is_understood(
    bridge: str, launch: Launch, watch: Callable[[Page], Page], tmp_path: Path
) -> None:
    # The file plays from the moment the microphone opens: silence lets the greeting pass. Should the greeting
    # take longer, the caller interrupts it, and is to be understood all the same.
    wav = with_silence(speech("yes_please"), tmp_path / "microphone.wav", before_s=8.0, after_s=20.0)
    page = watch(launch(f"--use-file-for-fake-audio-capture={wav}%noloop").new_page())
    page.goto(f"{bridge}/?scenario=simple_handoff")
    _connect(page)
    expect(page.locator("[data-agent]")).to_have_attribute("data-agent", "haikuWriter", timeout=SPEAK_MS)
    expect(page.locator("#transcript [data-role=user] .text").first).to_contain_text(
        re.compile("please", re.I)
    )
    _await_answer(page, "haikuWriter", 0)


def test_a_typed_message_is_answered_by_voice(
    bridge: str, launch: Launch, watch: Callable[[Page], Page]
) -> None:
    page = watch(launch().new_page(viewport={"width": 390, "height": 844}))
    page.add_init_script(script("microphone.js"))
    page.goto(f"{bridge}/?scenario=simple_handoff")
    _connect(page)
    _await_answer(page, "greeter", 0)
    page.get_by_label("Message to the agent").fill("yes please")
    page.keyboard.press("Enter")
    expect(page.locator("#transcript [data-role=user] .text")).to_have_text("yes please ", timeout=ANSWER_MS)
    expect(page.locator("[data-agent]")).to_have_attribute("data-agent", "haikuWriter", timeout=ANSWER_MS)
    heard = _energy(page)
    _await_answer(page, "haikuWriter", 0)
    assert _energy(page) > heard + SILENT_ENERGY
