"""`rtbridge talk`: a call from a file or a pipe, on both roads, and what it says when it cannot be made."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import signal
import threading
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from live_rig import SineVoice, live, sine
from replay_rig import tone
from rtbridge.core import pcm
from rtbridge.engine import load
from rtbridge.engine.parts import EngineParts, Say
from rtbridge.errors import RtbridgeError, StoryError
from rtbridge.replay import talk
from rtbridge.replay.arguments import add_talk_arguments
from rtbridge.replay.talk_source import FileSource, MicrophoneSource
from rtbridge.replay.talker import Talker
from rtbridge.replay.transcript import Transcript
from rtbridge.settings import Settings
from scripted_engine import scripted, speech
from session_rig import scenario_in

FRAME_MS = 20


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one scenario, an engine that needs no models, and a caller's file."""

    def parts(**_: object) -> EngineParts:
        return scripted(lambda turn: [Say("Good day to you.")], voice=SineVoice())

    monkeypatch.setattr(load, "load_parts", parts)
    scenario_in(tmp_path)
    write(tmp_path / "hello.wav", bytes(4_800) + speech("hello there") + bytes(4_800))
    return tmp_path


def write(file: Path, audio: bytes) -> None:
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(pcm.RATE)
        out.writeframes(audio)


def call(home: Path, *arguments: str | Path) -> int:
    parser = argparse.ArgumentParser()
    add_talk_arguments(parser)
    given = [*map(str, arguments), "--scenarios", str(home), "--out", str(home / "answer.wav")]
    return talk.run(parser.parse_args(given), Settings())


def answer_ms(home: Path) -> int:
    with wave.open(str(home / "answer.wav")) as answer:
        assert (answer.getnchannels(), answer.getsampwidth(), answer.getframerate()) == (1, 2, pcm.RATE)
        return int(answer.getnframes() * 1000 // pcm.RATE)


# -- in this process -------------------------------------------------------------------------------------------
def test_a_file_is_said_after_the_greeting_and_both_sides_are_told_as_they_come(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(home, home / "hello.wav") == 0
    lines = capsys.readouterr().out.splitlines()
    lines = [line for line in lines if not line.startswith("20")]  # what an unconfigured log prints
    told = [line.split(" s  ", 1)[1] for line in lines[:-1]]
    assert told[0].startswith("-- desks, at ")
    assert told[1:4] == ["front: Good day to you.", "caller: hello there", "front: Good day to you."]
    times = [float(line.split(" s ")[0]) for line in lines[:-1]]
    assert times == sorted(times)
    assert f"answer.wav: what was heard, {answer_ms(home) / 1000:.1f} s" in lines[-1]
    assert 4_000 < answer_ms(home) < 20_000


class PipedInput:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return self._descriptor < 0


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Be standard input; gives the end to write to."""
    reading, writing = os.pipe()
    monkeypatch.setattr("sys.stdin", PipedInput(reading))
    yield writing
    os.close(reading)


def test_a_microphone_on_standard_input_talks_at_once_and_in_real_time(
    home: Path, pipe: int, capsys: pytest.CaptureFixture[str]
) -> None:
    os.write(pipe, bytes(9_600) + speech("hello there")[:40_000] + bytes(9_600))
    os.close(pipe)
    assert call(home, "-") == 0
    out = capsys.readouterr().out
    assert "caller: hello there" in out
    assert "front: Good day to you." in out
    assert answer_ms(home) > 3_000


def test_a_pipe_that_closes_without_a_sample_is_told(home: Path, pipe: int) -> None:
    os.close(pipe)
    with pytest.raises(StoryError, match="nothing came on standard input"):
        call(home, "-")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.wav",), r"none\.wav: there is no such file; `-` reads a microphone"),
        (("desks/agents.py",), r"agents\.py: not an audio file"),
        (("mute.wav",), r"mute\.wav: nothing but silence in it"),
        (("hello.wav", "--scenario", "desk"), r"no scenario 'desk'; there are: desks"),
        (("hello.wav", "--agent", "nobody"), r"desks has no agent 'nobody'; there are: front"),
    ],
)
def test_what_cannot_be_called_with_is_refused_in_words(
    arguments: tuple[str, ...], words: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    write(home / "mute.wav", bytes(48_000))
    with pytest.raises(RtbridgeError, match=words):
        call(home, *arguments)
    assert not (home / "answer.wav").exists()


def test_a_rate_that_no_microphone_has_and_a_terminal_are_refused(
    home: Path, pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.close(pipe)
    with pytest.raises(StoryError, match="--rate 4000: samples a second"):
        call(home, "-", "--rate", "4000")
    monkeypatch.setattr("sys.stdin", PipedInput(-1))
    with pytest.raises(StoryError, match="pipe a microphone into it"):
        call(home, "-")


def test_an_answer_that_cannot_be_written_is_told(home: Path) -> None:
    (home / "answer.wav").mkdir()
    with pytest.raises(StoryError, match=r"answer\.wav: the answer cannot be written: "):
        call(home, home / "hello.wav")


def test_ctrl_c_hangs_up_and_keeps_what_was_heard(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = Talker.tick

    def interrupted(self: Talker, heard: bytes) -> bytes:
        if len(self.heard) == 3 * pcm.RATE * pcm.SAMPLE_BYTES:
            signal.raise_signal(signal.SIGINT)
        return real(self, heard)

    monkeypatch.setattr(Talker, "tick", interrupted)
    assert call(home, home / "hello.wav") == 130
    assert "hung up" in capsys.readouterr().err
    assert 3_000 <= answer_ms(home) <= 3_100


# -- over the wire ---------------------------------------------------------------------------------------------
@pytest.mark.wire
async def test_a_running_bridge_is_called_in_real_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with live(tmp_path) as bridge:
        write(tmp_path / "hum.wav", sine(24_000, level=900))
        url = f"http://127.0.0.1:{bridge.port}"
        code = await asyncio.to_thread(call, tmp_path, tmp_path / "hum.wav", "--url", url, "--now")
        assert code == 0
        out = capsys.readouterr().out
        assert "-- desks, at " in out
        assert "front: " in out
        assert answer_ms(tmp_path) > 2_000
        await bridge.settled()
        assert bridge.board.live == 0
        wrong = await asyncio.to_thread(
            call, tmp_path, tmp_path / "hum.wav", "--url", url, "--scenario", "none"
        )
        assert wrong == 3
        assert "the bridge refused the call: 404" in capsys.readouterr().err


def test_no_bridge_at_all_is_told_with_its_address(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(home, home / "hello.wav", "--url", "http://127.0.0.1:9") == 3
    assert "http://127.0.0.1:9: the call could not be carried out" in capsys.readouterr().err
    assert not (home / "answer.wav").exists()


# -- the caller ------------------------------------------------------------------------------------------------
def drive(talker: Talker, spans: list[tuple[int, int]], *, ms: int = 60_000) -> tuple[int | None, int]:
    """Let an agent sound over `spans`; return when the caller began to speak and when it hung up."""
    began = None
    for at_ms in range(0, ms, FRAME_MS):
        sounds = any(start <= at_ms < end for start, end in spans)
        said = talker.tick(tone(FRAME_MS) if sounds else bytes(pcm.FRAME_BYTES))
        if began is None and any(said):
            began = at_ms
        if talker.is_over:
            return began, at_ms
    raise AssertionError("it never hung up")


def test_a_file_waits_for_the_end_of_the_greeting_and_hangs_up_when_the_answer_is_over() -> None:
    talker = Talker(FileSource(tone(1_000)), waits_for_greeting=True)
    began, ended = drive(talker, [(500, 2_000), (5_000, 6_000)])
    assert began == pytest.approx(3_000, abs=60)
    assert ended == pytest.approx(9_000, abs=60)
    assert talker.reason == "the caller hung up"


def test_without_greeting_and_answer_it_does_not_wait_for_ever() -> None:
    began, ended = drive(Talker(FileSource(tone(1_000)), waits_for_greeting=True), [])
    assert began == pytest.approx(4_000, abs=60)
    assert ended == pytest.approx(20_000, abs=60)
    assert drive(Talker(FileSource(tone(100)), waits_for_greeting=False), [(3_000, 4_000)])[0] == 0


def test_who_hung_up_first_is_the_reason() -> None:
    talker = Talker(FileSource(tone(20)), waits_for_greeting=False)
    talker.ended_by_peer("max_duration")
    talker.ended_by_peer("another")
    assert talker.is_over
    assert talker.reason == "max_duration"


# -- the microphone ---------------------------------------------------------------------------------------------
def read_all(microphone: MicrophoneSource) -> bytes:
    heard = bytearray()
    while (frame := microphone.frame()) is not None:
        heard += frame if any(frame) else b""
    return bytes(heard)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_any_rate_becomes_24_khz_and_nothing_is_lost_of_what_comes_faster_than_real_time(rate: int) -> None:
    reading, writing = os.pipe()
    microphone = MicrophoneSource(reading, rate)

    def program() -> None:
        with os.fdopen(writing, "wb") as out:
            for _ in range(3):
                out.write(tone(1_000)[: rate * 2].ljust(rate * 2, b"\1"))
            out.write(b"\1")  # half a sample

    writer = threading.Thread(target=program)
    writer.start()
    heard = read_all(microphone)
    writer.join()
    os.close(reading)
    assert pcm.samples_of(heard) / pcm.RATE == pytest.approx(3.0, abs=0.05)


def test_what_has_not_come_yet_is_silence_and_no_end() -> None:
    reading, writing = os.pipe()
    microphone = MicrophoneSource(reading, pcm.RATE)
    assert microphone.frame() == bytes(pcm.FRAME_BYTES)
    assert not microphone.is_empty
    os.close(writing)
    while microphone.frame() is not None:
        pass
    assert microphone.is_empty
    os.close(reading)


# -- the transcript ---------------------------------------------------------------------------------------------
def test_each_event_is_one_line_and_no_escape_of_a_model_reaches_the_terminal() -> None:
    stream = io.StringIO()
    transcript = Transcript(stream)
    events: list[dict[str, Any]] = [
        {"type": "rtbridge.call.opened", "scenario": "cafe", "agent": "host", "upstream": "engine"},
        {"type": "rtbridge.item.heard", "heard_text": "Good \x1b[2Jday", "unheard_text": " to you"},
        {"type": "conversation.item.input_audio_transcription.completed", "transcript": " "},
        {"type": "rtbridge.tool.started", "name": "hours", "arguments": "x" * 500},
        {"type": "rtbridge.tool.ended", "name": "hours", "output": "{}", "took_ms": 3},
        {"type": "rtbridge.agent.handed_off", "from": "host", "to": "bookings", "took_ms": 1},
        {"type": "rtbridge.item.heard", "heard_text": "Bookings", "unheard_text": ""},
        {"type": "rtbridge.notice", "message": "a notice"},
        {"type": "error", "error": {"message": "no"}},
        {"type": "response.created"},
        {"type": "rtbridge.call.closed", "reason": "hangup", "duration_ms": 1},
    ]
    for event in events:
        transcript.event(1_240, event)
    lines = stream.getvalue().splitlines()
    assert lines == [
        "    1.2 s  -- cafe, at engine",
        "    1.2 s  host: Good  [2Jday [to you]",
        "    1.2 s  caller: (nothing understood)",
        f"    1.2 s  -- tool hours {'x' * 399}…",
        "    1.2 s  -- tool hours -> {} (3 ms)",
        "    1.2 s  -- host hands over to bookings",
        "    1.2 s  bookings: Bookings",
        "    1.2 s  -- a notice",
        "    1.2 s  -- error: no",
        "    1.2 s  -- the call is over: hangup",
    ]
