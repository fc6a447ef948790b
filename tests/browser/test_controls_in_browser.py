"""Push to talk, mute, playback off and hold as a person uses them: space bar and buttons, a voice, and an ear.

Chromium, aiortc, the engine's ears and its voice are real. What is heard is the browser's own count of received energy.
"""

from __future__ import annotations

import re
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from browser_rig import Launch, as_base64, script, speech

pytestmark = pytest.mark.browser

ANSWER_MS = 30_000
SPEAK_MS = 60_000
LATE_MS = 80  # the finger, after the first sound; what drives the browser takes a while more
AUDIBLE = 1e-4  # energy of a second of speech at -40 dBFS
SILENT = 1e-6  # ... and of what a codec leaves of silence


def connect(page: Page, bridge: str) -> None:
    page.goto(f"{bridge}/?scenario=simple_handoff")
    page.get_by_role("button", name="Connect").click()
    expect(page.locator("#state")).to_have_attribute(
        "data-state", re.compile("listening|thinking|speaking"), timeout=20_000
    )


def listening(page: Page) -> None:
    expect(page.locator("#state")).to_have_attribute("data-state", "listening", timeout=SPEAK_MS)


def said_by_agent(page: Page, number: int) -> Locator:
    return page.locator("#transcript [data-role=assistant]").nth(number)


def switch(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def energy(page: Page, over_ms: int) -> float:
    """Return how much energy is received in so long a time."""
    before = page.evaluate("() => rig.energy()")
    page.wait_for_timeout(over_ms)
    return float(page.evaluate("() => rig.energy()") - before)


def first_sound_ms(path: Path) -> float:
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int32)
        first = int(np.nonzero(np.abs(samples) > 300)[0][0])
        return first * 1000.0 / int(file.getframerate())


def say_by_key(page: Page, wav: Path) -> None:
    """Speak; press the space bar after the first sound, let go with the end of the file."""
    talk = page.locator("#talk")
    page.evaluate("wav => { window.saying = rig.say(wav); }", as_base64(wav))
    page.wait_for_timeout(first_sound_ms(wav) + LATE_MS)
    page.keyboard.down(" ")
    expect(talk).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#state")).to_contain_text("Let go when done")
    page.evaluate("() => window.saying")
    page.keyboard.up(" ")
    expect(talk).to_have_attribute("aria-pressed", "false")


def test_the_space_bar_talks_and_playback_off_silences_the_agent_and_not_the_microphone(
    bridge: str, launch: Launch, watch: Callable[[Page], Page], artifacts: Path
) -> None:
    page = watch(launch().new_page(viewport={"width": 1280, "height": 800}))
    page.add_init_script(script("microphone.js"))
    connect(page, bridge)
    expect(said_by_agent(page, 0)).to_have_attribute("data-heard", "whole", timeout=SPEAK_MS)
    expect(page.get_by_role("button", name="Hold to talk")).to_be_hidden()

    switch(page, "Push to talk").click()
    talk = page.locator("#talk")
    expect(talk).to_be_focused()
    expect(switch(page, "Push to talk")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#state")).to_contain_text("Hold the button or the space bar")
    page.evaluate("() => document.activeElement.blur()")  # the space bar works wherever nobody types
    callers = page.locator("#transcript [data-role=user] .text")
    before = callers.count()
    say_by_key(page, speech("yes_please"))
    words = callers.nth(before)
    expect(words).to_contain_text(re.compile(r"^yes\W+please", re.I), timeout=ANSWER_MS)
    expect(page.locator("[data-agent]")).to_have_attribute("data-agent", "haikuWriter", timeout=ANSWER_MS)

    playback = switch(page, "Playback off")
    agent = page.locator("#state[data-state=agent_speaking]")
    expect(agent).to_be_attached(timeout=ANSWER_MS)
    playback.click()
    expect(playback).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#state")).to_contain_text("Agent paused")
    page.wait_for_timeout(800)  # what was on its way, and the browser's jitter buffer
    assert energy(page, 1_000) < SILENT
    page.screenshot(path=artifacts / "controls_paused_1280.png")
    playback.click()
    expect(playback).to_have_attribute("aria-pressed", "false")
    page.wait_for_timeout(300)
    assert energy(page, 500) > AUDIBLE
    listening(page)
    expect(page.locator("#transcript .unheard:visible")).to_have_count(0)

    playback.click()
    expect(playback).to_have_attribute("aria-pressed", "true")
    page.locator("#scroll").focus()
    before = callers.count()
    say_by_key(page, speech("topic_ocean"))
    expect(callers.nth(before)).to_contain_text(re.compile("ocean", re.I), timeout=ANSWER_MS)
    assert energy(page, 1_500) < SILENT, "the answer waits"
    playback.click()
    expect(agent).to_be_attached(timeout=ANSWER_MS)
    assert energy(page, 1_500) > AUDIBLE


def test_mute_and_hold_are_said_in_words_and_work_by_keyboard_at_phone_width(
    bridge: str, launch: Launch, watch: Callable[[Page], Page], artifacts: Path
) -> None:
    page = watch(launch().new_page(viewport={"width": 390, "height": 844}))
    page.add_init_script(script("microphone.js"))
    connect(page, bridge)
    expect(said_by_agent(page, 0)).to_have_attribute("data-heard", "whole", timeout=SPEAK_MS)

    mute, hold = switch(page, "Mute"), switch(page, "Hold call")
    mute.focus()
    page.keyboard.press("Space")
    expect(mute).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#state")).to_contain_text("Your microphone is muted")
    page.evaluate("wav => rig.say(wav)", as_base64(speech("yes_please")))
    page.wait_for_timeout(1_500)
    expect(page.locator("#transcript [data-role=user]")).to_have_count(0)
    page.keyboard.press("Space")
    expect(mute).to_have_attribute("aria-pressed", "false")

    switch(page, "Push to talk").press("Enter")
    talk = page.locator("#talk")
    expect(talk).to_be_focused()
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        page.screenshot(path=artifacts / f"controls_{width}.png")
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    hold.focus()
    page.keyboard.press("Space")
    expect(page.locator("#state")).to_contain_text("On hold")
    expect(talk).to_be_disabled()
    page.screenshot(path=artifacts / "controls_held_1280.png")
    page.keyboard.press("Space")
    expect(talk).to_be_enabled()

    box = talk.bounding_box()
    assert box is not None
    wav = speech("yes_please")
    page.evaluate("wav => { window.saying = rig.say(wav); }", as_base64(wav))
    page.wait_for_timeout(first_sound_ms(wav) + LATE_MS)
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    expect(talk).to_have_attribute("aria-pressed", "true")
    page.screenshot(path=artifacts / "controls_pressed_1280.png")
    page.mouse.move(0, 0)  # a finger that slides off still lets go
    page.evaluate("() => window.saying")
    page.mouse.up()
    expect(talk).to_have_attribute("aria-pressed", "false")
    words = page.locator("#transcript [data-role=user] .text").first
    expect(words).to_contain_text(re.compile(r"^yes\W+please", re.I), timeout=ANSWER_MS)

    page.get_by_label("Message to the agent").focus()
    page.keyboard.type("a b")
    expect(page.get_by_label("Message to the agent")).to_have_value("a b")
    expect(talk).to_have_attribute("aria-pressed", "false")
