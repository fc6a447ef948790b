"""`rtbridge record`: a recorded call becomes a story that replays offline, with everything it needs and no more."""

from __future__ import annotations

import json
import re
import shutil
from argparse import Namespace
from pathlib import Path

import pytest

from desk_stories import WHOLE, answer
from recording_rig import recorded
from replay_rig import failures, story
from rtbridge.__main__ import main
from rtbridge.errors import ReplayError, StoryError
from rtbridge.replay import cli, record, run
from rtbridge.replay.read_story import load_story
from rtbridge.replay.result import RunResult
from rtbridge.replay.sound import Sound
from rtbridge.replay.story import Anchor, Start, Turn, TurnExpect
from rtbridge.settings import Settings
from scripted_engine import scripted, speech
from session_rig import AGENTS, scenario_in
from till_rig import AGENTS as TILL
from till_rig import answer as approval
from till_rig import cashier

GRAPHS = {"desks": ["front", "billing"]}
KEY = "sk-canary-0123456789"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    home = folder / "sessions" / "rtc_1-_x"
    home.parent.mkdir()
    assert recorded(WHOLE, home, scenario=scenario_in(folder), parts=scripted(answer)).cut is None
    return home


def kept(session: Path, folder: Path) -> Path:
    """Return a copy of the recorded call that a test may spoil."""
    return Path(shutil.copytree(session, folder / "sessions" / session.name))


def made(session: Path, into: Path, settings: Settings | None = None) -> Path:
    target = record.target_of(into, session.name)
    return record.write(session, target, settings or Settings()).file


def played(file: Path, folder: Path, agents: str = AGENTS) -> RunResult:
    def nobody(_: object) -> list[object]:
        raise AssertionError("the engine was asked, and the cassette was to answer")

    parts = scripted(nobody)  # type: ignore[arg-type]
    told = load_story(file, GRAPHS)
    return run.play(told, scenario=scenario_in(folder, agents), parts=parts, settings=Settings())


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_recorded_call_becomes_a_story_that_passes_and_tells_a_changed_prompt(
    session: Path, tmp_path: Path
) -> None:
    (tmp_path / "desks" / "stories").mkdir(parents=True)
    file = made(session, tmp_path / "desks")
    assert names(tmp_path) == [
        "desks/audio/rtc_1-_x/001.wav",
        "desks/audio/rtc_1-_x/002.wav",
        "desks/audio/rtc_1-_x/003.wav",
        "desks/stories/rtc_1-_x.jsonl",
        "desks/stories/rtc_1-_x.toml",
    ]
    assert all(wav.stat().st_size < 1_000_000 for wav in tmp_path.rglob("*.wav"))
    again = played(file, tmp_path)
    assert failures(again) == []
    assert again.mismatches == ()
    story = again.story
    assert story.expect.handoffs == ("billing",)
    assert [(tool.name, dict(tool.args)) for tool in story.expect.tools or ()] == [
        ("look_up", {"order": "A7"})
    ]
    said = [(one.who, one.like) for one in story.expect.transcript]
    assert ("agent", r"Heard result A7 is on its way\.") in said
    assert ("caller", "billing please") in said
    assert '"audio/rtc_1-_x/001.wav"  # hello there at ' in file.read_text()

    changed = AGENTS.replace("You are billing.", "You are billing. Never offer discounts.")
    told = failures(played(file, tmp_path, changed))
    assert any('instructions was "You are billing.", is "You are billing. Never offer' in one for one in told)
    silent = file.read_text().replace("Heard result A7 is on its way", "Heard result A7 is lost")
    file.write_text(silent)
    assert any(
        one.startswith("expected /Heard result A7 is lost") for one in failures(played(file, tmp_path))
    )


def test_a_story_lies_where_it_was_asked_for(session: Path, tmp_path: Path) -> None:
    (tmp_path / "stories").mkdir()
    file = made(session, tmp_path / "stories" / "new.toml")
    assert names(tmp_path)[3:] == ["stories/new.jsonl", "stories/new.toml"]
    assert load_story(file).name == "new"
    plain = made(session, tmp_path / "deep" / "er" / "two.toml")
    assert plain.is_file()
    assert (tmp_path / "deep" / "er" / "audio" / "two" / "001.wav").is_file()


def test_a_key_that_is_in_a_recording_all_the_same_is_in_no_file_of_the_story(
    session: Path, tmp_path: Path
) -> None:
    spoiled = kept(session, tmp_path)
    secret = "a passphrase of this machine"
    cassette = spoiled / "cassette.jsonl"
    cassette.write_text(cassette.read_text().replace("is on its way", f"is {KEY}, {secret}"))
    events = spoiled / "events.jsonl"
    events.write_text(events.read_text().replace("is on its way", f"is {KEY}, {secret}"))
    (tmp_path / "out").mkdir()
    made(spoiled, tmp_path / "out", Settings.model_validate({"upstream_api_key": secret}))
    text = "".join((tmp_path / "out" / f"rtc_1-_x.{kind}").read_text() for kind in ("toml", "jsonl"))
    assert KEY not in text
    assert secret not in text
    assert text.count("[masked key], [masked key]") >= 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("session.json", "no recorded call there"),
        ("unfinished", "not finished: the call still goes on"),
        ("a file", "not a recorded call"),
        ("cassette.jsonl", "cassette.jsonl: not there"),
        ("caller.wav", r"caller\.wav: cannot be read"),
        ("events.jsonl", r"events\.jsonl: cannot be read"),
        ("cut", "the recording was cut \\(No space left on device\\)"),
        ("version", "a recording of version 7, and this reads 1"),
        ("broken", r"cassette\.jsonl:3: not a line of JSON"),
        ("messages", r"messages\.jsonl: not what a recording writes"),
        ("silent", "nothing was said, typed or picked"),
    ],
)
def test_what_is_no_recorded_call_is_refused_with_a_reason_and_leaves_nothing(
    session: Path, tmp_path: Path, spoil: str, message: str
) -> None:
    home = kept(session, tmp_path)
    about = home / "session.json"
    if spoil == "session.json":
        shutil.rmtree(home)
    elif spoil == "unfinished":
        about.unlink()
        (home / "caller.part").touch()
    elif spoil == "a file":
        home = home / "events.jsonl"
    elif spoil == "cut":
        about.write_text(json.dumps(json.loads(about.read_text()) | {"cut": "No space left on device"}))
    elif spoil == "version":
        about.write_text(json.dumps(json.loads(about.read_text()) | {"version": 7}))
    elif spoil == "broken":
        lines = (home / "cassette.jsonl").read_text().splitlines()
        (home / "cassette.jsonl").write_text("\n".join([*lines[:2], "{", *lines[3:]]))
    elif spoil == "messages":
        (home / "messages.jsonl").write_text('{"t": "soon", "text": "{}"}\n')
    elif spoil == "silent":
        wav = (home / "caller.wav").read_bytes()
        (home / "caller.wav").write_bytes(wav[:44] + bytes(len(wav) - 44))
        (home / "messages.jsonl").write_text("")
    else:
        (home / spoil).unlink()
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(StoryError, match=message):
        record.run(Namespace(session=str(home), into=out), Settings())
    assert names(out) == []


def test_nothing_that_is_there_is_written_over(session: Path, tmp_path: Path) -> None:
    file = made(session, tmp_path / "one.toml")
    with pytest.raises(StoryError, match=r"audio/one: there already: take another name"):
        made(session, tmp_path / "one.toml")
    shutil.rmtree(tmp_path / "audio")
    with pytest.raises(StoryError, match=r"one\.jsonl: there already"):
        made(session, tmp_path / "one.toml")
    (tmp_path / "one.jsonl").unlink()
    with pytest.raises(StoryError, match=r"one\.toml: there already"):
        made(session, tmp_path / "one.toml")
    assert file.is_file()
    with pytest.raises(StoryError, match=r"no such folder: make it, or name a file that ends in \.toml"):
        made(session, tmp_path / "nowhere")


@pytest.mark.usefixtures("_small_disk")
def test_a_full_disk_leaves_nothing_and_says_so(session: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(
        ReplayError, match=r"rtc_1-_x\.toml: cannot be written: File too large; nothing was left"
    ):
        made(session, out)
    assert list(out.iterdir()) == []


def test_the_command_finds_a_call_by_its_id_and_says_what_comes_next(
    session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rtbridge.logs.configure", lambda **_: None)
    monkeypatch.setenv("RTBRIDGE_RECORD_DIR", str(session.parent))
    assert main(["record", session.name, "--into", str(tmp_path / "kept.toml")]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"kept\.toml: 4 turns, 3 with audio, and a cassette of \d\.\d MB\n", shown)
    assert f"next: rtbridge replay {tmp_path / 'kept.toml'}\n" in shown
    assert main(["record", "rtc_1_x", "--into", str(tmp_path / "more.toml")]) == 2
    assert f"no recorded call there; did you mean `{session.name}`?" in capsys.readouterr().err


def test_a_folder_of_recorded_calls_is_replayed_and_an_unfinished_one_is_told(
    session: Path, tmp_path: Path
) -> None:
    home = kept(session, tmp_path)
    problems: list[str] = []
    assert cli._files([home.parent, home], problems) == [home]
    (home / "session.json").unlink()
    (home / "frames.part").touch()
    assert cli._files([home], problems) == []
    assert problems == [
        f"{home}: this recording is not finished: {'the call still goes on, or the bridge ended '}"
        "in the middle of it"
    ]


def test_an_answer_to_a_tool_call_and_a_switch_are_done_again(tmp_path: Path) -> None:
    switch = Turn("switch", 1, None, None, False, Start(Anchor.AGENT_SPEECH_END, 500), TurnExpect(), "till")
    asks = Turn("ask", 1, Sound("yes", speech("yes please")), None, False, Start(), TurnExpect())
    for approve in (True, False):
        folder = tmp_path / str(approve)
        folder.mkdir()
        agents = TILL.replace('start = RealtimeAgent(name="till"', 'till = RealtimeAgent(name="till"')
        agents += 'start = RealtimeAgent(name="door", instructions="Open.", handoffs=[till])\n'
        scenario = scenario_in(folder, agents)
        told = story(switch, asks, approval(approve, 700))
        recorded(told, folder / "rtc_1", scenario=scenario, parts=scripted(cashier))
        read = record.write(folder / "rtc_1", record.target_of(folder / "one.toml", ""), Settings())
        kinds = [(one.switch, one.approve, one.start.after) for one in read.turns]
        assert kinds == [
            ("till", None, Anchor.CALL_START),
            (None, None, Anchor.CALL_START),
            (None, approve, Anchor.APPROVAL),
        ]
        assert abs(read.turns[2].start.delay_ms - 700) <= 40
        again = run.play(read, scenario=scenario, parts=scripted(cashier), settings=Settings())
        assert failures(again) == []
        assert again.mismatches == ()
        outcome = "tool.approved" if approve else "tool.rejected"
        assert [one.fields["by"] for one in again.journal if one.event == outcome] == ["page"]


def test_what_a_story_cannot_say_is_told(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = kept(session, tmp_path)
    about = home / "session.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"wish": {"type": "realtime"}}))
    with (home / "messages.jsonl").open("a") as file:
        file.write(json.dumps({"t": 1.5, "text": '{"type": "input_audio_buffer.commit"}'}) + "\n")
    with (home / "events.jsonl").open("a") as file:
        file.write(json.dumps({"at_ms": 2000, "event": "tool.approved", "call_id": "c", "by": "operator"}))
    assert record.run(Namespace(session=str(home), into=tmp_path / "one.toml"), Settings()) == 0
    shown = capsys.readouterr().out
    assert "not in the story: the offer asked for a session of its own: type\n" in shown
    assert "not in the story: the caller's client sent input_audio_buffer.commit, at 1.50 s\n" in shown
    assert "not in the story: a tool call was approved by the operator, at 2.00 s\n" in shown
