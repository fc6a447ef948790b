"""Eight broken stories and six wrong expectations, as a person meets them: through the command, in a sentence each."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from reading_rig import write_tone
from replay_rig import home_of_desks
from rtbridge.replay import cli
from rtbridge.replay.arguments import add_arguments
from rtbridge.settings import Settings

HEAD = 'name = "broken"\nscenario = "desks"\n[[turn]]\n'
BROKEN = (
    (
        'sya = "audio/tone.wav"',
        '3: turn "turn 1" has nothing to do: give it one of say, text, noise, type, press, switch, approve',
    ),
    ('say = "audio/tune.wav"', '4: no file "audio/tune.wav"; did you mean `audio/tone.wav`?'),
    (
        'type = "hi"\nstart = {after = "agent_speach_end"}',
        '5: no anchor "agent_speach_end"; did you mean `agent_speech_end`?',
    ),
    ('press = "12E"', '4: "E" is no key of a telephone; there is 0123456789*#ABCD'),
    (
        'noise = "audio/tone.wav"\nkind = "sneeze"',
        '5: no kind of noise "sneeze"; there is `backchannel`, `cough`, `laugh`, `non_directed`, `typing`',
    ),
    (
        'type = "hi"\nexpect = {ignore = true}',
        "5: only a `noise` can be ignored: this turn says something",
    ),
    (
        'type = "hi"\n[expect]\nguardrail = {tripped = "off brand"}',
        '6: no category "off brand"; did you mean `OFF_BRAND`?',
    ),
    (
        'type = "hi"\n[budget]\nunderuns = 0',
        "6: unknown key `underuns` in [budget]; did you mean `underruns`?",
    ),
)
WRONG = """\
name = "wrong"
scenario = "desks"
[[turn]]
id = "greet"
type = "good day"
expect = {respond_within_ms = 1, heard = "ocean", agent = "billing"}
[[turn]]
id = "key"
press = "1#"
expect = {heard = "something"}
[expect]
handoffs = ["billing"]
tools = [{name = "lookup", dead_air_ms = 0}]
transcript = [{who = "caller", never = "pressed 1 #"}]
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one scenario, and an engine that answers without models."""
    folder = home_of_desks(tmp_path, monkeypatch)
    write_tone(folder / "desks" / "audio" / "tone.wav")
    return folder


def run(home: Path, *files: Path) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return cli.run(parser.parse_args([*map(str, files), "--scenarios", str(home)]), Settings())


def test_eight_broken_stories_are_refused_with_file_line_and_what_to_do(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(BROKEN) == 8
    files = []
    for n, (turn, _) in enumerate(BROKEN):
        files.append(home / "desks" / "stories" / f"{n}.toml")
        files[-1].write_text(HEAD + turn)
    assert run(home, *files) == 2
    told = capsys.readouterr()
    assert told.out == ""
    for file, (_, message) in zip(files, BROKEN, strict=True):
        assert f"{file}:{message}" in told.err.splitlines()


def test_six_wrong_expectations_each_say_what_was_expected_and_what_was_instead(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "desks" / "stories" / "wrong.toml"
    file.write_text(WRONG)
    assert run(home, file) == 1
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    found = [line.removeprefix(f"{file}") for line in lines if line.startswith(f"{file}")]
    said = '"You said something." from front at'
    wanted = [
        ':3: turn "greet": expected an answer within 1 ms of the end of "good day" at',
        f':3: turn "greet": expected to hear /ocean/; heard {said}',
        f':3: turn "greet": expected billing to answer; heard {said}',
        ": expected the handoffs billing, seen (none)",
        ": expected the call lookup({}) in its place, seen no tool",
        ': expected never to hear /pressed 1 #/, caller said "The caller pressed 1 #." at',
    ]
    assert len(found) == len(wanted) == 6
    for line, beginning in zip(found, wanted, strict=True):
        assert line.startswith(beginning)
