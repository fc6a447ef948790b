"""Push to talk, mute, playback off and hold through a whole session: SDK, core and a scripted engine, virtual clock."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Iterable
from pathlib import Path

from rtbridge.core import journal, pcm
from rtbridge.engine.parts import Act, Say, Turn
from rtbridge.recording import Recording
from rtbridge.replay.clock import on_virtual_time
from rtbridge.settings import Settings
from scripted_engine import LevelEars, last_text, silence, speech
from session_rig import CallRig, scenario_in

BY_HAND = {
    "type": "session.update",
    "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}},
}
CLEAR = {"type": "input_audio_buffer.clear"}
COMMIT = {"type": "input_audio_buffer.commit"}
CREATE = {"type": "response.create"}


def parrot(turn: Turn) -> Iterable[Act]:
    """Greets at length, and repeats what it was told."""
    yield Say(f"You said {last_text(turn)}." if turn.items else "la " * 20)


@on_virtual_time()
async def test_a_stock_clients_button_gives_the_ears_all_that_was_said_and_nothing_else(
    tmp_path: Path,
) -> None:
    ears = LevelEars()
    async with CallRig(scenario_in(tmp_path), parrot, ears=ears) as rig:
        rig.leg.say(BY_HAND)
        await rig.leg.pass_ms(7000)
        said = speech("hello there", 1000)
        before, after = said[: pcm.FRAME_BYTES * 8], said[pcm.FRAME_BYTES * 8 :]  # begun 160 ms too early
        await rig.leg.pass_ms(1000, speech("billing please", 800))  # to somebody in the room
        await rig.leg.pass_ms(160, before)
        rig.leg.say(CLEAR)
        await rig.leg.pass_ms(840, after)
        rig.leg.say(COMMIT)
        rig.leg.say(CREATE)
        await rig.leg.pass_ms(3000, silence(600) + speech("yes please", 900))
        rig.leg.say(COMMIT)
        await rig.leg.pass_ms(100)
    (turn,) = ears.heard
    around = pcm.samples_of_ms(40) * pcm.SAMPLE_BYTES
    assert turn == bytes(around) + said + bytes(pcm.samples_of_ms(160) * pcm.SAMPLE_BYTES)
    assert [entry.text for entry in rig.entries(journal.CallerSaid)] == ["hello there"]
    assert rig.entries(journal.ItemHeard)[-1].heard_text == "You said hello there."
    (waterfall,) = [one for one in rig.entries(journal.TurnEnded) if one.respond_ms is not None]
    assert 160 <= waterfall.respond_ms <= 200, "from the last voiced sample, the tail included"
    (error,) = rig.leg.events_told("error")
    assert error["error"]["code"] == "input_audio_buffer_commit_empty"
    assert [event["before_ms"] for event in rig.leg.events_told("rtbridge.push_to_talk.pressed")] == [200]
    assert len(rig.leg.events_told("input_audio_buffer.committed")) == 1


@on_virtual_time()
async def test_a_press_silences_the_agent_within_a_frame_and_its_words_are_cut_to_what_was_heard(
    tmp_path: Path,
) -> None:
    async with CallRig(scenario_in(tmp_path), parrot) as rig:
        rig.leg.say(BY_HAND)
        await rig.leg.pass_ms(1500)
        rig.leg.say(CLEAR)
        await asyncio.sleep(0)
        at = len(rig.leg.heard)
        await rig.leg.pass_ms(600, speech("hello there", 600))
        assert not any(rig.leg.heard[at + pcm.FRAME_BYTES :])
        (cut,) = rig.entries(journal.ItemHeard)
        assert cut.heard_text
        assert cut.unheard_text
        rig.leg.say(COMMIT)
        rig.leg.say(CREATE)
        await rig.leg.pass_ms(3000)
    assert rig.entries(journal.ItemHeard)[-1].heard_text == "You said hello there."


@on_virtual_time()
async def test_an_agent_on_hold_goes_on_with_the_very_next_sample_and_the_caller_was_not_heard(
    tmp_path: Path,
) -> None:
    ears = LevelEars()
    async with CallRig(scenario_in(tmp_path), parrot, ears=ears) as rig:
        await rig.leg.pass_ms(1500)
        rig.leg.say({"type": "rtbridge.call.hold", "held": True})
        await rig.leg.pass_ms(20)
        at = len(rig.leg.heard)
        await rig.leg.pass_ms(5000, speech("yes please", 2000))
        assert not any(rig.leg.heard[at:])
        rig.leg.say({"type": "rtbridge.call.hold", "held": False})
        await rig.leg.pass_ms(6000)
    (greeting,) = rig.entries(journal.ItemHeard)
    assert greeting.heard_text == ("la " * 20).strip()
    assert sum(1 for sample in memoryview(rig.leg.heard).cast("h") if sample) == 20 * 5_760
    assert ears.heard == []
    changed = [
        (event["muted"], event["paused"], event["held"])
        for event in rig.leg.events_told("rtbridge.controls.changed")
    ]
    assert changed == [(False, False, True), (False, False, False)]


async def test_a_muted_caller_is_recorded_as_silence_of_the_same_length(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "rtc_1", Settings(), {})
    said, muted, held, again = (speech("hello there", ms) for ms in (200, 400, 100, 300))
    for chunk, control in (
        (said, journal.ControlsChanged(True, False, False)),
        (muted, journal.ControlsChanged(False, False, True)),
        (held, journal.ControlsChanged(False, True, False)),
        (again, None),
    ):
        recording.said(chunk)
        if control is not None:
            recording.entry(0, control)
    recording.finish()
    with wave.open(str(tmp_path / "rtc_1" / "caller.wav")) as track:
        assert track.readframes(track.getnframes()) == said + bytes(len(muted + held)) + again
