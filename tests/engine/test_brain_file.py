"""Brain files: what is wrong is named, with file and place."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtbridge.engine.brain import load_brains
from rtbridge.engine.brain_file import load_brain_file
from rtbridge.errors import ScenarioError

GOOD = """
format = 1
[agents.a]
opening = ["Hi."]
lost = ["One?", "Two?"]
"""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("format = 2", "format must be 1"),
        ("format = 1", "has no agents"),
        ("format = ", "Invalid value"),
        (GOOD.replace('opening = ["Hi."]', ""), "opening needs at least 1"),
        (GOOD.replace(', "Two?"', ""), "lost needs at least 2"),
        (GOOD + 'openings = ["x"]', "unknown key 'openings'"),
        (GOOD + 'start = "nowhere"', "no state 'nowhere'"),
        (GOOD + "start = 3", "start must be str"),
        (GOOD + '[[agents.a.intents]]\nexamples = ["x"]', "needs a name"),
        (GOOD + '[[agents.a.intents]]\nname = "x"\ngoto = "y"', "no state 'y'"),
        (GOOD + '[[agents.a.intents]]\nname = "x"\ngrammar = "maybe"', "yes or no"),
        (GOOD + '[[agents.a.intents]]\nname = "x"\nneeds = ["y"]', "no slot 'y'"),
        (GOOD + '[[agents.a.intents]]\nname = "x"\nexamples = [3]', "list of texts"),
        (GOOD + '[[agents.a.intents]]\nname = "x"\npick = { bank = "b" }', "no bank 'b'"),
        (
            GOOD + '[[agents.a.intents]]\nname = "x"\nneeds = ["s"]\n[agents.a.slots.s]\nkind = "phone"',
            "give it `ask` lines",
        ),
        (GOOD + '[agents.a.slots.s]\nkind = "colour"', "kind must be one of"),
        (GOOD + '[agents.a.slots.s]\nkind = "choice"', "needs them"),
        (GOOD + '[agents.a.slots.s]\nkind = "text"\npatterns = ["("]', "bad regular expression"),
        (GOOD + '[agents.a.states.s]\nasks = "x"', "no slot 'x'"),
        (GOOD + '[agents.a.states.s]\nthen = "x"', "no intent 'x'"),
        (GOOD + '[[agents.a.replies]]\nsay = ["x"]', "needs a tool"),
        (GOOD + '[[banks.b]]\ntext = "x"', "needs an entry with any = true"),
        (GOOD + "[[banks.b]]\nany = true", "needs a text"),
        (GOOD + "[shared]\nx = 1", "unknown key 'x'"),
        ("format = 1\nagents = 3", "agents must be dict"),
    ],
)
def test_a_fault_is_named_with_the_file(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "brain.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ScenarioError, match=r"brain\.toml") as error:
        load_brain_file(path)
    assert fault in str(error.value)


def test_an_agents_own_intent_wins_over_a_shared_one(tmp_path: Path) -> None:
    path = tmp_path / "brain.toml"
    shared = '[[shared.intents]]\nname = "x"\nsay = ["shared"]\n[[shared.intents]]\nname = "y"\n'
    path.write_text(GOOD + '[[agents.a.intents]]\nname = "x"\nsay = ["own"]\n' + shared, "utf-8")
    intents = {intent.name: intent.act.say for intent in load_brain_file(path).agents["a"].intents}
    assert intents == {"x": ("own",), "y": ()}


def test_brains_are_found_by_scenario_folder(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "brain.toml").write_text(GOOD, "utf-8")
    assert list(load_brains(tmp_path)) == ["one"]
    assert load_brains(None) == {}
    with pytest.raises(ScenarioError, match="nothing"):
        load_brain_file(tmp_path / "nothing.toml")
