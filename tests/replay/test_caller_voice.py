"""Texts as a caller says them: by a voice that no agent has, kept on disk, told in the report."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from replay_rig import failures, played_through, story, turn
from rtbridge.agents.scenario import default_root, load_scenario
from rtbridge.core import pcm
from rtbridge.engine import load, tts
from rtbridge.errors import MissingPart, StoryError
from rtbridge.replay import caller_voice
from rtbridge.replay.caller_voice import CallerVoice, free_voice, voices_of
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.read_story import load_story
from rtbridge.replay.sound import BadSound, Sound
from rtbridge.replay.spoken_cache import SpokenCache
from session_rig import scenario_in

STORY = """\
scenario = "desks"
[[turn]]
text = "{text}"
"""


@pytest.fixture
def cache(tmp_path: Path) -> SpokenCache:
    return SpokenCache(tmp_path / "spoken")


@pytest.fixture
def no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def cheap_voice(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a tone be the engine's voice; return the voices that are asked for."""
    asked: list[str] = []

    class Voice:
        def speak(self, text: str, *, voice: str, speed: float) -> Iterable[object]:
            asked.append(voice)
            yield type("Spoken", (), {"pcm": np.full(2400, 900, "<i2").tobytes()})

    monkeypatch.setattr(load, "load_models", lambda model_dir: type("Models", (), {"voice": Voice()}))
    return asked


def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    (tmp_path / "bin").mkdir()
    found = next(
        Path(folder, program) for folder in os.environ["PATH"].split(":") if Path(folder, program).exists()
    )
    (tmp_path / "bin" / program).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.mark.parametrize("program", ["flite", "espeak-ng"])
def test_a_program_that_is_installed_speaks_and_a_text_is_never_an_option(
    program: str, tmp_path: Path, cache: SpokenCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(tmp_path, monkeypatch, program)
    sound = CallerVoice(cache=cache).speak("-t yes, please", "desks")
    assert 400 < sound.ms < 3000
    assert sound.label == "-t yes, please"
    assert sound.note is None


def test_a_text_is_spoken_once_and_then_read_from_disk(
    cache: SpokenCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = CallerVoice(cache=cache).speak("yes, please", "desks")
    monkeypatch.setattr(caller_voice, "_spoken", lambda *_: pytest.fail("it was spoken again"))
    assert CallerVoice(cache=cache).speak("yes, please", "desks") == said


def test_another_text_or_another_build_of_the_program_is_spoken_anew(
    tmp_path: Path, cache: SpokenCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def spoken(text: str, program: str, arguments: object) -> bytes:
        made.append(text)
        return b"\1\0" * 100

    monkeypatch.setattr(caller_voice, "_spoken", spoken)
    program = tmp_path / "flite"
    program.write_text("one")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    voice = CallerVoice(cache=cache)
    for text in ("yes", "no", "yes"):
        voice.speak(text, "desks")
    program.write_text("another build")
    caller_voice._version.cache_clear()
    voice.speak("yes", "desks")
    assert made == ["yes", "no", "yes"]


def test_a_program_that_fails_is_told(
    tmp_path: Path, cache: SpokenCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flite").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "flite").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(BadSound, match="failed to speak it"):
        CallerVoice(cache=cache).speak("yes", "desks")
    assert not cache.folder.exists()


@pytest.mark.usefixtures("no_programs")
def test_without_a_program_that_voice_of_the_engine_speaks_which_no_agent_has(
    cache: SpokenCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = cheap_voice(monkeypatch)
    voice = CallerVoice({"desks": frozenset({"sage", "ash"})}, cache=cache)
    note = voice.speak("yes", "desks").note
    assert asked == ["ballad"]
    assert note is not None
    assert f"the engine's own voice {asked[0]} (no agent has it)" in note
    assert "flite or espeak-ng" in note
    assert voice.speak("yes", "desks").note == note  # from disk, too
    assert len(asked) == 1


@pytest.mark.usefixtures("no_programs")
@pytest.mark.models
def test_the_engines_voice_really_speaks_for_the_caller(cache: SpokenCache) -> None:
    scenario = load_scenario(default_root() / "simple_handoff")
    voice = CallerVoice({scenario.id: voices_of(scenario)}, cache=cache)
    sound = voice.speak("Yes, please.", scenario.id)
    assert 400 < sound.ms < 3000
    assert load.load_models().ears.transcribe(sound.pcm).lower().startswith("yes")


def test_the_free_voice_is_the_farthest_in_pitch_and_one_is_found_even_when_all_are_taken() -> None:
    pitches = {"low": 0.5, "middle": 1.0, "high": 1.2}
    assert free_voice(frozenset({"middle"}), pitches) == "low"
    assert free_voice(frozenset({"low"}), pitches) == "high"
    assert free_voice(frozenset({"low", "high"}), pitches) == "middle"
    assert free_voice(frozenset(pitches), pitches) == "low"
    assert free_voice(frozenset(), pitches) == "low"
    assert free_voice(frozenset({"unheard of"}), pitches) == "low"
    assert free_voice(frozenset({"sage"}), {n: t.pitch for n, t in tts.VOICES.items()}) == "ash"


@pytest.mark.usefixtures("no_programs")
def test_when_every_voice_is_an_agents_the_note_says_so(
    cache: SpokenCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheap_voice(monkeypatch)
    note = CallerVoice({"desks": frozenset(tts.VOICES)}, cache=cache).speak("yes", "desks").note
    assert note is not None
    assert "all are taken" in note


def test_the_voices_of_a_scenario_are_its_own_and_those_of_its_agents(tmp_path: Path) -> None:
    scenario = scenario_in(tmp_path)
    assert voices_of(scenario) == {scenario.voice}
    home = tmp_path / "desks" / "agents.py"
    first = next(iter(scenario.agents))
    more = "\nfrom rtbridge.agents.agent_settings import AgentSettings\nvoice = 'verse'\n"
    home.write_text(f"{home.read_text()}{more}settings = {{'{first}': AgentSettings(voice='echo')}}\n")
    assert voices_of(load_scenario(tmp_path / "desks")) == {"verse", "echo"}


@pytest.mark.usefixtures("no_programs")
def test_without_programs_and_engine_the_refusal_names_line_and_what_to_install(
    tmp_path: Path, cache: SpokenCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(model_dir: object) -> None:
        raise MissingPart("no model")

    monkeypatch.setattr(load, "load_models", missing)
    file = tmp_path / "a.toml"
    file.write_text(STORY.format(text="hello"))
    with pytest.raises(StoryError) as refused:
        load_story(file, None, CallerVoice(cache=cache))
    assert str(refused.value) == (
        f'{file}:3: `text` "hello": text is spoken by one of flite, espeak-ng, or by the engine: install one of the '
        "programs, or pip install 'rtbridge[engine]', or say a WAV file instead"
    )


def test_the_note_stands_in_the_verdict_once(cache: SpokenCache) -> None:
    one, two = turn("one"), turn("two")
    spoken = [
        type(one)(t.id, 1, Sound("x", t.sound.pcm, "spoken by ash"), None, False, t.start, t.expect)
        for t in (one, two)
        if t.sound is not None
    ]
    result = played_through(story(*spoken), [(500, 2_000), (5_000, 6_000), (10_000, 11_000)])
    assert judge(result, look(result)).notes.count("spoken by ash") == 1
    assert failures(result) == []


# -- the cache ------------------------------------------------------------------------------------------------
def test_what_is_damaged_is_made_again(cache: SpokenCache) -> None:
    assert cache.get_or_make(["a"], lambda: b"12") == b"12"
    (file,) = cache.folder.iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert cache.get_or_make(["a"], lambda: b"34") == b"34"
    assert cache.get_or_make(["a"], lambda: b"56") == b"34"


def test_the_folder_stays_below_its_bound_and_what_was_used_last_stays(tmp_path: Path) -> None:
    cache = SpokenCache(tmp_path, max_bytes=3 * 132)
    for n, name in enumerate("abc"):
        cache.get_or_make([name], lambda: bytes(100))
        for file in tmp_path.glob("*.s16"):
            if file.stat().st_mtime > 1_000_000:
                os.utime(file, (n, n))
    cache.get_or_make(["a"], lambda: pytest.fail("a is still there"))
    cache.get_or_make(["d"], lambda: bytes(100))
    assert len(list(tmp_path.iterdir())) == 3
    cache.get_or_make(["a"], lambda: pytest.fail("a was used last"))
    assert cache.get_or_make(["b"], lambda: b"new") == b"new"


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = SpokenCache(tmp_path / "file" / "spoken")
    assert cache.get_or_make(["a"], lambda: b"12") == b"12"
    assert cache.get_or_make(["a"], lambda: b"34") == b"34"


def test_a_sound_of_the_cache_is_the_sound_that_was_made(cache: SpokenCache) -> None:
    first = CallerVoice(cache=cache).speak("one two three", "desks")
    assert pcm.samples_of(first.pcm) > 0
    assert len(list(cache.folder.iterdir())) == 1
