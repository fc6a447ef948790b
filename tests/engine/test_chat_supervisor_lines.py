"""The offline lines of chat_supervisor: understood as meant, asked before looked up, said in changing words."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

import speech_rig
from brain_rig import Talk, tool
from rtbridge.engine.brain import Brain
from rtbridge.engine.brain_file import BrainFile, load_brain_file

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "scenarios" / "chat_supervisor"
ASK = "getNextResponseFromSupervisor"
FIELD = "relevantContextFromLastUserMessage"
TOOLS = {
    "chatAgent": [
        tool(ASK, {"type": "object", "properties": {FIELD: {"type": "string"}}, "required": [FIELD]})
    ]
}


@pytest.fixture(scope="module")
def lines() -> BrainFile:
    return load_brain_file(FOLDER / "brain.toml")


@pytest.fixture(scope="module")
def brain(lines: BrainFile) -> Brain:
    return Brain({"chat_supervisor": lines}, speech_rig.meaning())


@pytest.fixture
def talk(brain: Brain) -> Talk:
    answers = {ASK: {"nextResponse": "The answer is forty-two. Is there anything else?"}}
    return Talk(brain, "chat_supervisor", "chatAgent", TOOLS, answers)


def asked(talk: Talk) -> list[str]:
    assert {call.name for call in talk.calls} <= {ASK}
    return [json.loads(call.arguments_json)[FIELD] for call in talk.calls]


def test_the_greeting_is_said_once_and_a_later_hello_is_answered_in_other_words(talk: Talk) -> None:
    greeting = "Hi, you've reached NewTelco, how can I help you?"
    assert talk.respond() == [greeting]
    assert talk.hear("Hello?") != [greeting]


def test_the_number_is_asked_for_before_the_supervisor_and_a_filler_comes_before_its_answer(
    talk: Talk,
) -> None:
    talk.respond()
    (question,) = talk.hear("Why was my last bill so high?")
    assert "phone number" in question
    assert talk.calls == []
    filler, answer = talk.hear("206 135 1246")
    assert len(filler.split()) <= 5
    assert answer == "The answer is forty-two. Is there anything else?"
    assert asked(talk) == ["Wants to know why the last bill was so high. Phone number: (206) 135-1246."]


def test_a_number_said_with_the_wish_is_not_asked_for(talk: Talk) -> None:
    talk.respond()
    talk.hear("Why is my bill so high? My number is 206-135-1246.")
    assert asked(talk) == ["Wants to know why the last bill was so high. Phone number: (206) 135-1246."]


def test_an_aside_takes_nothing_away_from_the_question_that_was_asked(talk: Talk) -> None:
    talk.respond()
    talk.hear("Why was my last bill so high?")
    for aside in ("Why do you need my number?", "Hold on a second.", "Can you repeat that?"):
        talk.hear(aside)
    talk.hear("206 135 1246")
    assert asked(talk) == ["Wants to know why the last bill was so high. Phone number: (206) 135-1246."]


def test_a_corrected_number_is_asked_about_anew(talk: Talk) -> None:
    talk.respond()
    for text in ("My bill is too high", "206 135 1264", "Sorry, it's 206 135 1246"):
        talk.hear(text)
    assert [text[-15:-1] for text in asked(talk)] == ["(206) 135-1264", "(206) 135-1246"]


def test_too_few_digits_are_not_passed_on(talk: Talk) -> None:
    talk.respond()
    talk.hear("What's my balance?")
    (again,) = talk.hear("135 1246")
    assert "ten digits" in again
    assert talk.calls == []


def test_six_or_more_fillers_never_the_same_twice_in_a_row(talk: Talk) -> None:
    talk.respond()
    wishes = [
        "Tell me about the family plan.", "Do you have any promotions?", "Thanks.", "How much is the iPhone?",
        "I want to talk to a human.", "Who should I vote for?", "Do you have international plans?", "Hello?",
        "Any discounts?", "Good morning.", "Thank you.", "Can you repeat that?", "Thanks a lot.", "Hi.",
        "Tell me about the family plan.", "I want a new phone.", "Are there any deals?",
    ]  # fmt: skip
    fillers = [said[0] for wish in wishes if len(said := talk.hear(wish)) == 2]
    assert len(fillers) >= 10
    assert len(set(fillers)) >= 6
    assert all(one != other for one, other in itertools.pairwise(fillers))


def test_a_supervisor_that_fails_is_spoken_about(talk: Talk) -> None:
    talk.outputs = {ASK: {"error": "The supervisor did not answer in time."}}
    talk.respond()
    _filler, apology = talk.hear("Tell me about the family plan.")
    assert "sorry" in apology
    assert "supervisor" not in apology


def test_the_words_of_a_refused_topic_reach_the_supervisor(talk: Talk) -> None:
    talk.respond()
    talk.hear("Who should I vote for?")
    assert asked(talk) == ["Brings up something that is not about the service: Who should I vote for?"]
