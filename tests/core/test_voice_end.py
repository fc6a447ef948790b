"""When the caller's last voiced sample came, whatever became of its packet."""

from __future__ import annotations

import pytest

from replay_rig import quiet, tone
from rtbridge.core import pcm
from rtbridge.core.audible import Ear
from rtbridge.core.voice_end import VoiceEnd


class Line:
    """A caller's audio, 20 ms by 20 ms, on a clock."""

    def __init__(self, *, speaking: bool = True) -> None:
        self.ear = Ear()
        self.end = VoiceEnd(self.ear)
        self.speaking = speaking
        self.now = 50.0

    def bring(self, sound: bytes, *, every_s: float = pcm.FRAME_MS / 1000) -> None:
        for at in range(0, len(sound), pcm.FRAME_BYTES):
            self.now += every_s
            self.ear.hear(sound[at : at + pcm.FRAME_BYTES])
            self.end.came(self.now, speaking=self.speaking)


def test_it_is_the_moment_of_the_very_last_sample_that_can_be_heard() -> None:
    line = Line()
    line.bring(quiet(400) + tone(305) + quiet(495))
    assert line.end.ended_s() == pytest.approx(50.705, abs=0.001)
    line.now += 0.013  # and stays so while nothing comes
    assert line.end.ended_s() == pytest.approx(50.705, abs=0.001)


def test_there_is_none_where_nothing_or_no_voice_was_heard() -> None:
    line = Line()
    assert line.end.ended_s() is None
    line.bring(quiet(500))
    assert line.end.ended_s() is None


def test_packets_that_were_late_move_it_no_further() -> None:
    line = Line()
    line.bring(quiet(400) + tone(300))
    line.now += 0.3  # the network holds everything back, and then lets it go
    line.bring(tone(100), every_s=0.0)
    line.bring(quiet(200), every_s=0.0)
    assert line.end.ended_s() == pytest.approx(50.8, abs=0.001)
    line.bring(quiet(100))
    assert line.end.ended_s() == pytest.approx(50.8, abs=0.001)


def test_a_line_that_has_moved_is_believed_two_seconds_later() -> None:
    line = Line()
    line.bring(quiet(400))
    line.now += 5.0  # the caller was away, and the line did not go on
    line.bring(tone(300) + quiet(100))
    assert line.end.ended_s() == pytest.approx(55.7, abs=0.001)


def test_a_voice_is_remembered_for_as_long_as_its_turn_goes_on() -> None:
    for speaking, remembered in ((True, True), (False, False)):
        line = Line(speaking=speaking)
        line.bring(tone(600) + quiet(4_400))
        assert (line.end.ended_s() is not None) == remembered
        line.end.forget()
        assert line.end.ended_s() is None


def test_what_is_remembered_is_where_it_was() -> None:
    line = Line()
    line.bring(tone(600) + quiet(4_400))
    assert line.end.ended_s() == pytest.approx(50.6, abs=0.001)
