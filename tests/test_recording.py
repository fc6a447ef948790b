"""What goes wrong with a recording cuts the recording, says so, and never touches the call or the bridge."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desk_stories import WHOLE, answer
from live_rig import LiveBridge, until
from recording_rig import recorded
from rtbridge.core import journal
from rtbridge.errors import StoryError
from rtbridge.recording import Recording
from rtbridge.replay.sessions import is_session, is_unfinished, load_session
from rtbridge.settings import Settings
from rtbridge.upstream.frames import Row
from scripted_engine import scripted
from session_rig import scenario_in

Spoil = Callable[[pytest.MonkeyPatch], None]


def record(folder: Path) -> tuple[Path, Recording]:
    home = folder / "rtc_1"
    return home, recorded(WHOLE, home, scenario=scenario_in(folder), parts=scripted(answer))


def about(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "session.json").read_text())
    return found


def test_a_whole_recording_says_that_nothing_is_missing(tmp_path: Path) -> None:
    home, recording = record(tmp_path)
    assert recording.cut is None
    assert about(home)["cut"] is None
    assert load_session(home).turns


@pytest.mark.usefixtures("_small_disk")
def test_a_disk_that_fills_up_in_a_call_cuts_its_recording_and_the_call_goes_on(tmp_path: Path) -> None:
    home, recording = record(tmp_path)
    assert recording.cut == about(home)["cut"] == "File too large"
    assert list(home.glob("*.part")) == []
    with pytest.raises(
        StoryError, match=r"the recording was cut \(File too large\): what is missing cannot be"
    ):
        load_session(home)


def test_a_disk_that_is_full_from_the_first_leaves_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def full(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        return real(
            Path("/dev/full") if "w" in mode and self.parent.name == "rtc_1" else self, mode, *rest, **more
        )

    monkeypatch.setattr(Path, "open", full)
    home, recording = record(tmp_path)
    assert recording.cut == os.strerror(28)
    assert not is_session(home)
    assert not is_unfinished(home)


def test_a_folder_that_cannot_be_made_is_told_and_no_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "rtc_1").write_text("in the way")
    _, recording = record(tmp_path)
    assert recording.cut == "File exists"
    assert (tmp_path / "rtc_1").read_text() == "in the way"


def _frames_break(monkeypatch: pytest.MonkeyPatch) -> None:
    def line(self: Row) -> str:
        raise RecursionError("too deep")

    monkeypatch.setattr(Row, "line", line)


def _thread_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(self: Recording, kind: str, what: object) -> None:
        raise KeyError(kind)

    monkeypatch.setattr(Recording, "_take", take)


def _end_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def track(self: Recording, name: str, silent_ms: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Recording, "_track", track)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_frames_break, "a frame cannot be written: RecursionError"),
        (_thread_breaks, "a fault: KeyError"),
        (_end_breaks, "a fault: ZeroDivisionError"),
    ],
)
def test_a_fault_of_the_recorder_cuts_the_recording_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Spoil, why: str
) -> None:
    spoil(monkeypatch)
    home, recording = record(tmp_path)
    assert recording.cut == about(home)["cut"] == why
    assert list(home.glob("*.part")) == []


def test_half_a_character_from_an_upstream_is_recorded_like_any_other(tmp_path: Path) -> None:
    async def told() -> Recording:
        recording = Recording(tmp_path / "rtc_1", Settings(), {"scenario": "desks"})
        recording.entry(0, journal.AgentSaid("a", "front", "half \ud83d"))
        recording.sent('{"type": "half \\ud83d"}')
        recording._frame(Row(0.0, "in", {"type": 7, "delta": None}))
        await asyncio.to_thread(recording.finish)
        return recording

    assert asyncio.run(told()).cut is None
    assert json.loads((tmp_path / "rtc_1" / "events.jsonl").read_text())["text"] == "half \ud83d"


@pytest.mark.wire
@pytest.mark.usefixtures("_small_disk")
def test_a_live_call_goes_on_when_the_disk_is_full_and_so_does_the_bridge(tmp_path: Path) -> None:
    async def talk() -> None:
        settings = Settings(record_dir=tmp_path / "sessions")
        async with LiveBridge(settings, tmp_path).up() as bridge:
            for _ in range(2):
                async with bridge.call() as call:
                    await call.converses("still")
                    await call.converses("here")
            homes = list((tmp_path / "sessions").iterdir())
            await until(lambda: all(map(is_session, homes)), "both recordings")
            assert [about(home)["cut"] for home in homes] == ["File too large"] * 2

    asyncio.run(talk())
