"""Human speech by a stock client's button, through a whole session to the engine's ears, on the virtual clock."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

import speech_rig
from rtbridge.core import journal, pcm, push_to_talk
from rtbridge.engine.parts import Act, Say, Turn
from rtbridge.replay.clock import run_virtual
from rtbridge.replay.hearing import audible_span
from session_rig import CallRig, scenario_in
from speech_rig import load_wav, words

pytestmark = pytest.mark.models

HUMAN = json.loads((Path(__file__).parent / "speech" / "transcripts.json").read_text("utf-8"))
SAID = ("conf-waitforleader", "conf-getpin", "all-circuits-busy-now")
LATE = pcm.samples_of_ms(150)
FRAME = pcm.FRAME_BYTES


def shut_up(turn: Turn) -> Iterable[Act]:
    yield Say("Yes?" if turn.items else "Hello.")


def heard_by_button(folder: Path, name: str, *, early_ms: int = 0) -> str:
    """Return what is understood of a recording whose speaker presses 150 ms late and lets go on the last sample."""
    sound = load_wav(Path(HUMAN["folder"]) / f"{name}.wav")
    span = audible_span(sound)
    # So laid that the press is at a frame's end, and not before 150 ms of speech were said.
    padded = bytes(-(2 * (span.start + LATE)) % FRAME) + sound
    at = 2 * (span.start + LATE) + len(padded) - len(sound)
    end = 2 * (span.end - pcm.samples_of_ms(early_ms)) + len(padded) - len(sound)

    async def call() -> str:
        async with CallRig(scenario_in(folder), shut_up, ears=speech_rig.ears()) as rig:
            off = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
            rig.leg.say({"type": "session.update", "session": off})
            await rig.leg.pass_ms(2000)
            await rig.leg.pass_ms(at // FRAME * 20, padded[:at])
            rig.leg.say({"type": "input_audio_buffer.clear"})
            await rig.leg.pass_ms((end - at) // FRAME * 20, padded[at:])
            rig.leg.say({"type": "input_audio_buffer.commit"})
            rig.leg.say({"type": "response.create"})
            await rig.leg.pass_ms(2000, padded[at + (end - at) // FRAME * FRAME :])
        (said,) = rig.entries(journal.CallerSaid)
        return str(said.text)

    return run_virtual(call, limit_s=120)


@pytest.mark.parametrize("name", SAID)
def test_a_sentence_begun_150_ms_before_the_press_and_ended_on_the_release_is_understood_whole(
    tmp_path: Path, name: str
) -> None:
    assert words(heard_by_button(tmp_path, name)) == words(HUMAN["transcripts"][name])


def test_who_lets_go_80_ms_before_the_last_sound_is_understood_whole_too(tmp_path: Path) -> None:
    name = "all-circuits-busy-now"
    assert words(heard_by_button(tmp_path, name, early_ms=80)) == words(HUMAN["transcripts"][name])


def test_without_what_came_before_the_press_a_word_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_to_talk, "BEFORE_SAMPLES", 1)
    name = "conf-waitforleader"
    assert words(heard_by_button(tmp_path, name)) != words(HUMAN["transcripts"][name])
