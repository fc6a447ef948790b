"""The engine's moderation: what its list finds, what it leaves alone, how a file adds to it."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from rtbridge.engine.classify import CATEGORIES, NOTHING_FOUND, WordList, normalised
from rtbridge.errors import ScenarioError


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("You are an idiot.", "OFFENSIVE"),
        ("YOU’RE SO STUPID!", "OFFENSIVE"),
        ("Halt die Klappe!", "OFFENSIVE"),
        ("id\u200biot", "OFFENSIVE"),
        (unicodedata.normalize("NFD", "ídiöt"), "OFFENSIVE"),
        ("\uff49\uff44\uff49\uff4f\uff54", "OFFENSIVE"),  # full width
        ("Well, I'm going to kill you.", "VIOLENCE"),
        ("Blow  up\nthe building", "VIOLENCE"),
        ("Our competitors are all scammers.", "OFF_BRAND"),
        ("Other shops sell garbage.", "OFF_BRAND"),
        ("I will kill you, idiot.", "VIOLENCE"),  # the gravest
    ],
)
def test_what_is_on_the_list_is_found_however_it_is_written(text: str, category: str) -> None:
    assert WordList().judge(text)["category"] == category


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Good morning, how can I help you?",
        "My bill is far too high and I am angry about it.",
        "That idiom is new to me.",
        "The battery died and I want to kill the background apps.",
        "Our competitors have stores in Seattle, too.",
        "The Peak Bomber is a board for the park.",
        "No, thank you. I'd rather not say.",
    ],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert WordList().judge(text) == {"category": "NONE", "rationale": NOTHING_FOUND}


def test_only_what_the_user_said_is_judged() -> None:
    messages = [{"role": "system", "content": "idiot"}, {"role": "user", "content": "Hello"}]
    assert WordList()(messages)["category"] == "NONE"
    assert WordList()([*messages, {"role": "user", "content": "You idiot"}])["category"] == "OFFENSIVE"
    assert WordList()([])["category"] == "NONE"


def test_a_file_adds_rules_that_are_tried_first(tmp_path: Path) -> None:
    more = tmp_path / "more.toml"
    more.write_text(
        'format = 1\n[[rule]]\ncategory = "OFF_BRAND"\nrationale = "Names them."\nwords = ["Acme  Snow", "idiot"]\n'
    )
    words = WordList(more)
    assert words.judge("They buy at ACME snow") == {"category": "OFF_BRAND", "rationale": "Names them."}
    assert words.judge("idiot")["category"] == "OFF_BRAND"
    assert words.judge("moron")["category"] == "OFFENSIVE"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("format = 2", "format must be 1"),
        ("format = 1\nrules = []", "unknown key 'rules'"),
        ('format = 1\n[[rule]]\ncategory = "RUDE"', f"category must be one of {', '.join(CATEGORIES)}"),
        ('format = 1\n[[rule]]\ncategory = "VIOLENCE"\nwords = ["x"]', "give it a rationale"),
        ('format = 1\n[[rule]]\ncategory = "VIOLENCE"\nrationale = "x"', "`words` or `patterns`"),
        (
            'format = 1\n[[rule]]\ncategory = "VIOLENCE"\nrationale = "x"\npatterns = ["("]',
            "bad regular expression",
        ),
        ("format =", "Invalid value"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_fault(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "more.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as refused:
        WordList(path)
    assert str(path) in str(refused.value)
    assert fault in str(refused.value)


def test_text_is_compared_by_its_letters() -> None:
    assert normalised("  Straße\u00a0 ‘É’\u200d ") == "strasse 'e'"
    assert json.dumps(WordList().judge("x"))
