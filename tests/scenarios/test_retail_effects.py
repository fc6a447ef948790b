"""A whole call to Snowy Peak Boards, by voice: what it does to the world is on disk, once."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from rtbridge.agents.effect_book import book_at
from rtbridge.agents.scenario import default_root, load_scenario
from rtbridge.engine.load import load_parts
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.read_story import load_story
from rtbridge.replay.run import play
from rtbridge.settings import Settings

pytestmark = [pytest.mark.models, pytest.mark.no_cover]

FOLDER = default_root() / "customer_service_retail"


def test_a_return_that_is_asked_for_twice_is_one_effect_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "effects.db"
    scenario = load_scenario(FOLDER)
    story = load_story(FOLDER / "stories" / "second_return.toml", {scenario.id: tuple(scenario.agents)})
    parts = load_parts(brains=default_root())
    result = play(story, scenario=scenario, parts=parts, settings=Settings(effects_path=str(path)))
    assert [str(failure) for failure in judge(result, look(result)).failures] == []
    checks = [
        entry
        for entry in result.journal
        if entry.event == "tool.started"
        and entry.fields["name"] == "checkEligibilityAndPossiblyInitiateReturn"
    ]
    assert len(checks) == 3
    book_at(str(path))._close()
    with sqlite3.connect(path) as written:
        rows = written.execute("SELECT call_id, tool, result FROM effects").fetchall()
    written.close()
    assert Counter(tool for _, tool, _ in rows) == {
        "save_or_update_address": 1,
        "update_user_offer_response": 1,
        "checkEligibilityAndPossiblyInitiateReturn": 1,
    }
    assert all(call_id == "rtc_replay" and result for call_id, _, result in rows)
