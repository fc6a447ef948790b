"""The table of planted defects fits the code: each has its place, is still Python, and names tests that there are."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

import mutations
from mutation_table import MUTATIONS, Mutation
from mutations import ROOT, judged, mutated

LEAST = 16  # planted defects
WATCHED = {  # what must have one
    "core/alignment.py",
    "core/arbiter.py",
    "core/barge_in.py",
    "core/call.py",
    "core/deciding.py",
    "core/gate.py",
    "core/guarding.py",
    "core/interruption.py",
    "core/latency.py",
    "core/ledger.py",
    "core/mic.py",
    "core/playout.py",
    "core/push_to_talk.py",
    "core/server_events.py",
    "core/speech.py",
    "core/withheld.py",
    "rtc/speaker.py",
}


def test_there_are_enough_of_them_each_once_and_in_every_part_that_decides_what_is_heard() -> None:
    assert len(MUTATIONS) >= LEAST
    assert [name for name, times in Counter(one.name for one in MUTATIONS).items() if times > 1] == []
    assert WATCHED - {one.file for one in MUTATIONS} == set()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name.replace(" ", "-"))
def test_each_has_one_place_and_leaves_python_that_can_be_run(mutation: Mutation) -> None:
    text = (ROOT / "rtbridge" / mutation.file).read_text()
    changed = mutated(text, mutation)
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text)), "a defect that changes nothing"
    with pytest.raises(ValueError, match="0 places"):
        mutated(text.replace(mutation.old, ""), mutation)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name.replace(" ", "-"))
def test_each_names_tests_that_there_are(mutation: Mutation) -> None:
    assert mutation.tests
    for node in mutation.tests:
        file, _, name = node.partition("::")
        found = ast.parse((ROOT / "tests" / file).read_text())
        functions = [
            one.name for one in found.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        assert not name or name in functions, node


@pytest.mark.parametrize(
    ("cases", "fate"),
    [
        ('<testcase name="test_a"/>', "survived"),
        ('<testcase name="test_a"><failure message="assert 1 == 2"/></testcase>', "caught"),
        ('<testcase name="test_a"><failure message="AssertionError: no"/></testcase>', "caught"),
        ('<testcase name="test_a"><failure message="NameError: x"/></testcase>', "broken"),
        ('<testcase name="test_a"><error message="collection failure"/></testcase>', "broken"),
        ("", "broken"),
    ],
)
def test_only_an_assertion_catches_a_defect(cases: str, fate: str) -> None:
    assert judged(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")[0] == fate


def test_a_defect_that_survives_and_one_in_a_sick_tree_miss_their_bars() -> None:
    figures = {"unmutated_passed": True, "planted": 2, "caught": 2}
    assert list(mutations.bars(figures).values()) == [True, True]
    assert list(mutations.bars(figures | {"caught": 1}).values()) == [True, False]
    assert list(mutations.bars(figures | {"unmutated_passed": False, "caught": 0}).values()) == [False, False]


def test_a_tiny_tree_with_a_defect_is_told_apart_from_one_without(tmp_path: Path) -> None:
    (tmp_path / "rtbridge" / "replay").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "rtbridge" / "__init__.py").touch()  # before the one that is installed
    (tmp_path / "rtbridge" / "replay" / "pytest_plugin.py").touch()  # pytest loads it by its entry point
    file = tmp_path / "rtbridge" / "sum.py"
    file.write_text("def add(a: int, b: int) -> int:\n    return a + b\n")
    (tmp_path / "tests" / "test_sum.py").write_text(
        "from rtbridge.sum import add\n\n\n"
        "def test_two() -> None:\n    assert add(2, 2) == 4\n\n\ndef test_none() -> None:\n    assert add(0, 0) == 0\n"
    )
    seen = mutations.planted(
        [
            Mutation("minus", "sum.py", "a + b", "a - b", ("test_sum.py::test_two",)),
            Mutation("minus, not looked at", "sum.py", "a + b", "a - b", ("test_sum.py::test_none",)),
            Mutation("no Python", "sum.py", "a + b", "a +", ("test_sum.py",)),
        ],
        tmp_path,
    )
    assert seen["unmutated_passed"]
    assert [one["fate"] for one in seen["mutations"]] == ["caught", "survived", "broken"]
    assert file.read_text().endswith("return a + b\n"), "taken back"
