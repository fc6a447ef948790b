"""Stories are read whole or refused whole: file, line, what is wrong, what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from reading_rig import GOOD, edited, problems_of, story_of, write_tone
from rtbridge.core import pcm
from rtbridge.errors import StoryError
from rtbridge.replay.read_story import load_story
from rtbridge.replay.story import Anchor, EffectExpect, Start
from rtbridge.replay.tables import MAX_BYTES


def test_a_whole_story_is_read_as_it_is_written(tmp_path: Path) -> None:
    story = story_of(tmp_path, GOOD)
    assert (story.name, story.scenario, story.agent) == ("a whole story", "simple_handoff", "greeter")
    yes, cut, cough = story.turns
    assert yes.sound is not None
    assert yes.sound.label == "audio/tone.wav"
    assert abs(pcm.samples_of(yes.sound.pcm) - 12_000) <= 40
    assert yes.start == Start(Anchor.AGENT_SPEECH_END, 250)
    assert (yes.expect.respond_within_ms, yes.expect.heard, yes.expect.agent) == (900, "topic", "haikuWriter")
    assert (cut.typed, cut.sound, cut.line) == ("snow", None, 12)
    assert cut.expect.unheard_in_context is False
    assert cough.is_noise
    assert cough.expect.ignore
    assert cough.id == "turn 3"
    assert cough.start == Start(Anchor.HANDOFF, 0)
    assert story.expect.handoffs == ("haikuWriter",)
    assert story.expect.tools is not None
    assert [(tool.name, tool.args) for tool in story.expect.tools] == [
        ("lookup", {"topic": "snow"}),
        ("other", {}),
    ]
    assert story.expect.effects == (EffectExpect("other", 1),)
    assert [said.never for said in story.expect.transcript] == [None, "(?i)as an ai"]
    assert (story.budget.underruns, story.budget.bridge_added_p95_ms) == (0, 60.0)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            '{tool = "other", count = 1}',
            '{tool = "other"}',
            "28: an expected effect has a `tool` and a `count`, how often it was done",
        ),
        ("count = 1}", "count = -1}", "28: `count` must lie between 0 and 1000000, not -1"),
        (
            'say = "audio/tone.wav"',
            'sya = "audio/tone.wav"',
            "9: unknown key `sya` in a turn; did you mean `say`?",
        ),
        (
            "respond_within_ms",
            "respond_withn_ms",
            "11: unknown key `respond_withn_ms` in `expect` of a turn; did you mean `respond_within_ms`?",
        ),
        ("delay_ms = 250", 'delay_ms = "250"', "10: `delay_ms` takes a whole number, not '250'"),
        ("delay_ms = 250", "delay_ms = -1", "10: `delay_ms` must lie between 0 and 1800000, not -1"),
        ("delay_ms = 250", "delay_ms = true", "10: `delay_ms` takes a whole number, not True"),
        (
            '"agent_speech_end"',
            '"agent_speach_end"',
            '10: no anchor "agent_speach_end"; did you mean `agent_speech_end`?',
        ),
        (
            '"agent_speech_end"',
            '"turn_end"',
            "10: the first turn has no turn before it: `turn_end` can never come",
        ),
        (
            'say = "audio/tone.wav"',
            'say = "audio/tune.wav"',
            '9: no file "audio/tune.wav"; did you mean `audio/tone.wav`?',
        ),
        (
            'say = "audio/tone.wav"',
            'say = "../../etc/passwd"',
            '9: no file "../../etc/passwd"; there is `audio/tone.wav`',
        ),
        (
            'say = "audio/tone.wav"',
            'say = "stories/one.toml"',
            '9: `say` "stories/one.toml": not an audio file that can be decoded; a 16-bit WAV always can',
        ),
        (
            'say = "audio/tone.wav"',
            'say = "audio/tone.wav"\ntype = "hi"',
            '7: turn "yes" has `say` and `type` to do: give it one of say, text, noise, type, press, switch, approve',
        ),
        (
            'say = "audio/tone.wav"',
            "",
            '7: turn "yes" has nothing to do: give it one of say, text, noise, type, press, switch, approve',
        ),
        ('type = "snow"', 'type = "  "', "14: `type` is empty"),
        (
            'type = "snow"',
            'switch = "haikuwriter"',
            '14: no agent "haikuwriter" in this scenario; did you mean `haikuWriter`?',
        ),
        ('id = "cut"', 'id = "yes"', '13: a second turn with the id "yes"'),
        (
            'scenario = "simple_handoff"',
            'scenario = "simple_handof"',
            '2: no scenario "simple_handof"; did you mean `simple_handoff`?',
        ),
        (
            'agent = "greeter"',
            'agent = "greater"',
            '3: no agent "greater" in this scenario; did you mean `greeter`?',
        ),
        (
            'agent = "haikuWriter"}',
            'agent = "haikuwriter"}',
            '11: no agent "haikuwriter" in this scenario; did you mean `haikuWriter`?',
        ),
        (
            'handoffs = ["haikuWriter"]',
            'handoffs = ["x"]',
            '22: no agent "x" in this scenario; there is `greeter`, `haikuWriter`',
        ),
        ('handoffs = ["haikuWriter"]', "handoffs = [1]", "22: `handoffs` takes a list of texts, not 1"),
        (
            'handoffs = ["haikuWriter"]',
            "handoffs = []",
            "19: `handoff` can never come: [expect] says that there are no handoffs",
        ),
        (
            'upstream = "engine"',
            'upstream = "cassette:a.jsonl"',
            '4: no cassette "a.jsonl": it lies beside the story, or in the folder of its scenario, and '
            "`rtbridge record` makes one",
        ),
        (
            "[budget]",
            '[[fault]]\nafter = "response.output_audio.delt:5"\ndo = "reset"\n[budget]',
            '30: `after` is the type of an event and which one, like "response.created:2", not '
            '"response.output_audio.delt:5"; did you mean `response.output_audio.delta`?',
        ),
        ("[budget]", '[[fault]]\nafter = "connect"\n[budget]', "29: a fault has `do`"),
        ('codec = "opus"', 'codec = "pcmx"', '6: no codec "pcmx"; did you mean `pcmu`?'),
        (
            'codec = "opus"',
            "net = {loss = 2}",
            "6: `loss` must lie between 0 and 0.5, not 2: it is a share, 0.02 is 2 %",
        ),
        (
            'codec = "opus"',
            "net = {loss = 0.02, burst = 0.5}",
            "6: `burst` must lie between 1 and 10, not 0.5: it is how many packets in a row are lost, in the mean",
        ),
        ('codec = "opus"', "net = {jitter_ms = 300}", "6: `jitter_ms` must lie between 0 and 200, not 300"),
        (
            'codec = "opus"',
            "net = {reorder = 0.6}",
            "6: `reorder` must lie between 0 and 0.5, not 0.6: it is a share, 0.01 is 1 %",
        ),
        ('codec = "opus"', "net = {sead = 7}", "6: unknown key `sead` in `net`; did you mean `seed`?"),
        (
            '{name = "other"}',
            '{nmae = "other"}',
            "25: unknown key `nmae` in an expected tool; did you mean `name`?",
        ),
        ('{name = "other"}', '"other"', "25: `tools` takes a list of tables, not 'other'"),
        (
            'like = "haiku"',
            'like = "(haiku"',
            "27: `like` is not a regular expression: missing ), unterminated subpattern at position 0",
        ),
        (
            '{who = "agent", like = "haiku"}',
            '{who = "agnt", like = "haiku"}',
            '27: `who` is "agent" or "caller", not \'agnt\'',
        ),
        (
            '{who = "agent", like = "haiku"}',
            '{who = "agent"}',
            "27: an expected transcript has either `like` or `never`",
        ),
        (
            "underruns = 0",
            "underuns = 0",
            "31: unknown key `underuns` in [budget]; did you mean `underruns`?",
        ),
        (
            "underruns = 0",
            "delivered_pct = 100.5",
            "31: `delivered_pct` is a share of the caller's audio: at most 100",
        ),
        (
            "bridge_added_p95_ms = 60",
            "bridge_added_p95_ms = inf",
            "30: `bridge_added_p95_ms` must be 0 or more, not inf",
        ),
        (
            "expect = {ignore = true}",
            "expect = {ignore = true, unheard_in_context = true}",
            "20: write false: what nobody heard must not stay in the context",
        ),
        ('id = "yes"', 'id = "yes"\nexpekt = 1', "9: unknown key `expekt` in a turn; did you mean `expect`?"),
    ],
)
def test_one_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    at_first = GOOD.replace(old, new, 1)
    assert at_first != GOOD
    assert problem in problems_of(tmp_path, at_first)


def test_an_interruption_that_can_never_come_is_refused(tmp_path: Path) -> None:
    text = edited('heard = "topic"', "stop_within_ms = 300")
    assert problems_of(tmp_path, text) == [
        "11: `stop_within_ms` can never come true: nobody is interrupted by a turn after agent_speech_end; "
        "start it after agent_speech_start"
    ]


def test_a_switch_interrupts_nobody_who_falls_silent(tmp_path: Path) -> None:
    told = "is about callers who interrupt: at a switch the next agent speaks at once"
    problems = problems_of(tmp_path, GOOD.replace('type = "snow"', 'switch = "haikuWriter"'))
    assert [problem.split("`")[1] for problem in problems if problem.endswith(told)] == [
        "stop_within_ms",
        "truncate_error_ms",
        "unheard_in_context",
    ]


def test_a_spoken_turn_cannot_be_expected_to_be_ignored(tmp_path: Path) -> None:
    text = edited('heard = "topic"', "ignore = true")
    assert problems_of(tmp_path, text) == ["11: only a `noise` can be ignored: this turn says something"]


def test_a_handoff_is_not_taken_for_a_tool(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, edited('"lookup"', '"transfer_to_haikuWriter"'))
    assert problems == [
        '24: "transfer_to_haikuWriter" is a handoff, not a tool: name its agent in `handoffs`'
    ]


def test_turns_at_fixed_times_must_not_overlap(tmp_path: Path) -> None:
    text = edited('after = "agent_speech_end", delay_ms = 250', 'after = "call_start", delay_ms = 1000')
    text = text.replace(
        'after = "agent_speech_start", delay_ms = 1200', 'after = "call_start", delay_ms = 1100'
    )
    (problem,) = problems_of(tmp_path, text)
    assert problem.startswith("15: the turn before it still plays then: 1")


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        edited('id = "yes"', "id = 7")
        .replace('who = "agent", like', 'woh = "agent", like')
        .replace("[media]", "[midea]")
    )
    problems = problems_of(tmp_path, text)
    assert [int(problem.split(":")[0]) for problem in problems] == [5, 8, 27, 27]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('name = "x"\nscenario = = 3\n', "2: not TOML: Invalid value (at line 2, column 12)"),
        ('name = "x', "1: not TOML: "),
        ('name = "no turns"\nscenario = "simple_handoff"', "1: no turns: a story has at least one [[turn]]"),
        ('[[turn]]\ntype = "x"', "1: no scenario: write scenario ="),
        ("turn = 3", "1: `turn` takes a list in [ ], not 3"),
        (f"a = {'[' * 5000}{']' * 5000}", "1: not TOML: nested too deeply"),
    ],
)
def test_a_file_that_is_no_story_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in problems_of(tmp_path, text))


def test_a_missing_a_binary_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoryError, match=r"none\.toml: cannot be read: No such file"):
        load_story(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(StoryError, match=r"binary\.toml:1: not UTF-8 text"):
        load_story(tmp_path / "binary.toml")
    (tmp_path / "huge.toml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(StoryError, match=r"huge\.toml: \d+ bytes are no story"):
        load_story(tmp_path / "huge.toml")


def test_a_link_that_leads_out_of_the_scenario_is_not_followed(tmp_path: Path) -> None:
    write_tone(tmp_path / "elsewhere" / "secret.wav")
    home = tmp_path / "scenario"
    home.mkdir()
    (home / "secret.wav").symlink_to(tmp_path / "elsewhere" / "secret.wav")
    problems = problems_of(home, edited('say = "audio/tone.wav"', 'say = "secret.wav"'))
    assert problems == ['9: "secret.wav" lies outside the scenario: copy it there']


def test_silence_is_not_taken_for_speech(tmp_path: Path) -> None:
    write_tone(tmp_path / "audio" / "mute.wav", level=0)
    text = edited('say = "audio/tone.wav"', 'say = "audio/mute.wav"')
    assert problems_of(tmp_path, text) == ['9: `say` "audio/mute.wav": nothing but silence in it']


def test_any_rate_and_channels_become_24_khz_mono(tmp_path: Path) -> None:
    for rate, channels in ((8_000, 1), (44_100, 2), (48_000, 1)):
        write_tone(tmp_path / "audio" / "other.wav", rate=rate, channels=channels)
        story = story_of(tmp_path, edited('say = "audio/tone.wav"', 'say = "audio/other.wav"'))
        assert story.turns[0].sound is not None
        assert abs(pcm.samples_of(story.turns[0].sound.pcm) - 12_000) <= 60
