"""The offline lines of simple_handoff: understood as meant, answered with true haikus, never stuck."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hibari.g2p import G2P

import speech_rig
from brain_rig import Talk, tool, understood
from rtbridge.core.pcm import samples_of
from rtbridge.engine.brain import Brain
from rtbridge.engine.brain_file import BrainFile, load_brain_file
from rtbridge.engine.parts import Say, Turn, VadConfig
from rtbridge.engine.vad import SileroVad

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "scenarios" / "simple_handoff"
TOOLS = {"greeter": [tool("transfer_to_haikuWriter")]}
# The vowels of the voice's phonemes, diphthongs included: one a syllable.
VOWELS = frozenset("AIOQWYaeiouæɐɑɒɔəɚɛɜɪʊʌᵊᵻ")


@pytest.fixture(scope="module")
def lines() -> BrainFile:
    return load_brain_file(FOLDER / "brain.toml")


@pytest.fixture(scope="module")
def brain(lines: BrainFile) -> Brain:
    return Brain({"simple_handoff": lines}, speech_rig.meaning())


@pytest.fixture
def talk(brain: Brain) -> Talk:
    return Talk(brain, "simple_handoff", "greeter", TOOLS)


def test_every_haiku_has_five_seven_and_five_syllables(lines: BrainFile) -> None:
    phonemes = G2P()
    bank = lines.banks["haiku"]
    assert len({entry.text for entry in bank}) == len(bank) >= 25
    for entry in bank:
        counts = [sum(c in VOWELS for c in phonemes(line)) for line in entry.text.split("\n")]
        assert counts == [5, 7, 5], entry.text


def test_the_whole_call_goes_from_greeting_to_haiku_to_goodbye(talk: Talk, lines: BrainFile) -> None:
    (greeting,) = talk.respond()
    assert "haiku" in greeting
    handover, opening = talk.hear("Yes, please.")
    assert talk.agent == "haikuWriter"
    assert [(call.name, call.arguments_json) for call in talk.calls] == [("transfer_to_haikuWriter", "{}")]
    assert "haiku writer" in handover
    assert "about" in opening
    (haiku,) = talk.hear("I would like one about the ocean.")
    poems = [entry for entry in lines.banks["haiku"] if haiku.startswith(entry.text)]
    assert "the ocean" in poems[0].about
    (another,) = talk.hear("Another one, please.")
    assert poems[0].text not in another
    assert any(entry.text in another for entry in lines.banks["haiku"])
    (declined,) = talk.hear("No, thank you.")
    assert declined
    (end,) = talk.hear("Thank you. Goodbye.")
    assert "oodbye" in end


def test_a_topic_named_to_the_greeter_is_not_asked_for_again(talk: Talk) -> None:
    talk.respond()
    _, haiku = talk.hear("Yes, one about snow please.")
    assert haiku.startswith("Snow signs no letter.")


def test_an_unknown_topic_is_named_before_a_haiku_that_fits_anything(talk: Talk, lines: BrainFile) -> None:
    talk.respond()
    talk.hear("Yes.")
    (told,) = talk.hear("Quantum computing.")
    assert "quantum computing" in told.split("\n")[0]
    assert any(entry.any and entry.text in told for entry in lines.banks["haiku"])


@pytest.mark.parametrize(
    ("topic", "about"),
    [("kittens", "cats"), ("the seaside", "the ocean"), ("my grandma", "my mother"), ("espresso", "coffee"),
     ("a snowstorm", "snow"), ("the violin", "music"), ("my puppy", "dogs")],
)  # fmt: skip
def test_a_topic_is_matched_by_its_meaning(talk: Talk, lines: BrainFile, topic: str, about: str) -> None:
    talk.respond()
    talk.hear("Yes.")
    (told,) = talk.hear(f"Write one about {topic}, please.")
    (wanted,) = [entry for entry in lines.banks["haiku"] if about in entry.about]
    assert wanted.text in told


def test_the_same_words_are_never_said_twice_in_a_row_however_little_is_understood(talk: Talk) -> None:
    said = talk.respond()
    for text in [
        "blah",
        "",
        "what is the weather",
        "",
        "four hundred",
        "hmm",
        "Yes.",
        "",
        "",
        "who won",
        "",
        "",
    ]:
        said += talk.hear(text)
    assert all(one != other for one, other in itertools.pairwise(said))


def test_every_haiku_is_heard_before_one_comes_again(talk: Talk, lines: BrainFile) -> None:
    talk.respond()
    talk.hear("Yes.")
    general = sum(entry.any for entry in lines.banks["haiku"])
    told = [talk.hear("Surprise me.")[0] for _ in range(general)]
    poems = {entry.text for entry in lines.banks["haiku"] for one in told if entry.text in one}
    assert len(poems) == general


def test_say_that_again_says_it_again(talk: Talk) -> None:
    talk.respond()
    talk.hear("Yes.")
    (haiku,) = talk.hear("Coffee.")
    (again,) = talk.hear("Can you say that again?")
    assert haiku in again
    assert haiku in talk.hear("Once more, please, I missed it.")[0]


def test_a_wish_parted_by_a_pause_is_put_together(talk: Talk) -> None:
    talk.respond()
    talk.hear("Yes.")
    for half in ("I'd like a haiku", "about the moon"):
        part = {"type": "input_audio", "transcript": half}
        talk.items.append({"type": "message", "role": "user", "content": [part]})
    (told,) = talk.respond()
    assert "The moon in the well" in told


def test_the_answer_depends_on_nothing_but_the_conversation(
    brain: Brain, talk: Talk, lines: BrainFile
) -> None:
    for text in ("", "Yes.", "Snow.", "One more."):
        _ = talk.hear(text) if text else talk.respond()
    fresh = Brain({"simple_handoff": lines}, speech_rig.meaning())
    talk.items.append(
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Birds."}]}
    )
    assert fresh.answer(talk.turn()) == brain.answer(talk.turn()) == brain.answer(talk.turn())


def test_a_call_that_starts_at_the_writer_is_opened_by_the_writer(brain: Brain) -> None:
    writer = Talk(brain, "simple_handoff", "haikuWriter", {})
    assert "about" in writer.respond()[0]
    assert "Snow signs no letter." in writer.hear("Snow.")[0]


def test_a_greeting_can_be_asked_for(brain: Brain, talk: Talk) -> None:
    talk.respond()
    talk.hear("Who won the game?")
    (act,) = brain.answer(talk.turn("Greet the caller."))
    assert act == brain.answer(Talk(brain, "simple_handoff", "greeter", TOOLS).turn())[0]


def test_every_recorded_caller_is_heard_and_understood(brain: Brain) -> None:
    meant = {
        "yes_please": ("greeter", "offered", "yes"),
        "no_thanks": ("greeter", "offered", "no"),
        "hello": ("greeter", "offered", "hello"),
        "what_can_you_do": ("greeter", "offered", "help"),
        "topic_ocean": ("haikuWriter", "asking", "write"),
        "topic_snow": ("haikuWriter", "asking", "write"),
        "topic_coffee": ("haikuWriter", "asking", "write"),
        "surprise_me": ("haikuWriter", "asking", "surprise"),
        "another_one": ("haikuWriter", "told", "another"),
        "that_was_beautiful": ("haikuWriter", "told", "praise"),
        "say_again": ("haikuWriter", "told", "repeat"),
        "wait_stop": ("haikuWriter", "told", "wait"),
        "thank_you_goodbye": ("haikuWriter", "told", "goodbye"),
    }
    files = {path.stem: path for path in (FOLDER / "audio").glob("*.wav")}
    assert set(meant) <= set(files)
    for name, (agent, state, intent) in meant.items():
        assert files[name].stat().st_size < 200_000
        stream = speech_rig.SECOND + speech_rig.load_wav(files[name]) + speech_rig.SECOND
        vad = SileroVad(speech_rig.silero(), VadConfig())
        started, *_, stopped = vad.feed(stream + bytes(samples_of(speech_rig.SECOND) * 2))
        heard = speech_rig.ears().transcribe(stream[2 * started.at_sample : 2 * stopped.at_sample])
        assert understood(brain, "simple_handoff", agent, state, heard) == intent, heard


def test_a_writer_that_is_corrected_says_something_else_and_goes_on(brain: Brain) -> None:
    def turn(*items: dict[str, object]) -> Turn:
        return Turn("", [], items, "simple_handoff/haikuWriter", "auto", None, "sage")

    def message(role: str, text: str) -> dict[str, object]:
        return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}

    asked, told = message("user", "How about our competitors: um, scammers"), message("system", "Not that.")
    (first,) = brain.answer(turn(asked, told))
    (second,) = brain.answer(turn(asked, told, message("assistant", ""), told))
    assert isinstance(first, Say)
    assert isinstance(second, Say)
    assert "rather not" in first.text
    assert second != first
    (haiku,) = brain.answer(turn(asked, told, message("user", "Coffee, please.")))
    assert isinstance(haiku, Say)
    assert "\n" in haiku.text
    greeter = Turn("", [], [asked, told], "simple_handoff/greeter", "auto", None, "sage")
    assert brain.answer(greeter)  # who has no such lines speaks as if nobody had been corrected
