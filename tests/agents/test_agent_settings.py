"""Settings of single agents: checked when the scenario is loaded, in force wherever the agent takes over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rtbridge.agents.agent_settings import VOICES, AgentSettings
from rtbridge.core import journal
from rtbridge.core.barge_in import BargeIn
from rtbridge.engine import tts
from rtbridge.engine.parts import Act, Call, Say, Spoken, Turn
from rtbridge.errors import ScenarioError
from rtbridge.replay.clock import on_virtual_time
from scripted_engine import ToneVoice, last_text, speech
from session_rig import AGENTS, CallRig, scenario_in

IMPORT = "from rtbridge.agents.agent_settings import AgentSettings\n"
OWN = """
settings = {
    "billing": AgentSettings(
        speed=1.25,
        tool_choice="look_up",
        turn_detection={"type": "semantic_vad", "eagerness": "high"},
        noise_reduction="near_field",
    ),
}
"""


def with_settings(settings: str) -> str:
    return AGENTS.replace("from agents import", IMPORT + "from agents import", 1) + settings


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ("AgentSettings(speed=1.6)", "speed is 1.6; make it a number from 0.25 to 1.5"),
        ("AgentSettings(speed=True)", "speed is True; make it a number from 0.25 to 1.5"),
        ("AgentSettings(voice='bob')", f"there is no voice 'bob'; there are: {', '.join(VOICES)}"),
        ("AgentSettings(voice=7)", "voice is 7; make it a name or leave it out"),
        (
            "AgentSettings(tool_choice='pay')",
            "tool_choice is 'pay'; make it one of auto, none, required, look_up, transfer_to_billing",
        ),
        (
            "AgentSettings(turn_detection={'type': 'vad'})",
            "turn_detection.type must be server_vad or semantic_vad",
        ),
        (
            "AgentSettings(turn_detection={'type': 'server_vad', 'threshold': 2})",
            "turn_detection.threshold must be a number from 0 to 1",
        ),
        ("AgentSettings(turn_detection=5)", "turn_detection must be an object or null"),
        (
            "AgentSettings(noise_reduction='strong')",
            "noise_reduction is 'strong'; make it near_field, far_field or off",
        ),
        ("AgentSettings(sensitivity='shy')", "sensitivity is 'shy'; make it one of low, medium, high"),
        (
            "AgentSettings(backchannels='okay')",
            "backchannels is 'okay'; make it a list of words like \"okay\", or leave it out",
        ),
        (
            "AgentSettings(uninterruptible=[''])",
            "uninterruptible is ['']; make it True, or a list of the agent's sentences",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_refused_at_load(tmp_path: Path, own: str, problem: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        scenario_in(tmp_path, with_settings(f'settings = {{"front": {own}}}\n'))
    assert str(refused.value) == f"{tmp_path / 'desks' / 'agents.py'}: settings of 'front': {problem}"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("settings = 3", "`settings` is a int; make it a dict of agents' names and AgentSettings"),
        (
            'settings = {"nobody": AgentSettings()}',
            "`settings` names 'nobody', which is no agent here; there are: front, billing",
        ),
        ('settings = {"front": 3}', "settings of 'front' are a int; make them AgentSettings(...)"),
        ('voice = "bob"', f"there is no voice 'bob'; there are: {', '.join(VOICES)}"),
    ],
)
def test_settings_of_the_wrong_shape_are_refused_at_load(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        scenario_in(tmp_path, with_settings(line + "\n"))
    assert str(refused.value) == f"{tmp_path / 'desks' / 'agents.py'}: {problem}"


def test_the_voices_that_are_taken_are_those_that_the_engine_speaks_with() -> None:
    assert set(VOICES) == set(tts.VOICES)


def test_what_one_agent_changes_is_spelled_out_for_the_others(tmp_path: Path) -> None:
    sessions: Any = scenario_in(tmp_path, with_settings(OWN)).sessions("gpt-realtime")
    front, billing = sessions["front"], sessions["billing"]
    assert (front["audio"]["output"], billing["audio"]["output"]) == (
        {"voice": "sage", "speed": 1.0},
        {"voice": "sage", "speed": 1.25},
    )
    assert (front["tool_choice"], billing["tool_choice"]) == ("auto", "look_up")
    assert (front["audio"]["input"]["noise_reduction"], billing["audio"]["input"]["noise_reduction"]) == (
        None,
        {"type": "near_field"},
    )
    assert front["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert front["model_name"] == billing["model_name"] == "gpt-realtime"


def test_a_scenario_without_settings_sends_what_it_always_sent(tmp_path: Path) -> None:
    scenario = scenario_in(tmp_path)
    assert scenario.sessions() == {name: scenario.session_settings() for name in ("front", "billing")}


def test_voice_push_to_talk_and_model_are_an_agents_own(tmp_path: Path) -> None:
    own = 'AgentSettings(voice="ash", turn_detection=None, model="gpt-realtime-mini", noise_reduction="off")'
    sessions: Any = scenario_in(tmp_path, with_settings(f'settings = {{"front": {own}}}\n')).sessions()
    assert sessions["front"]["audio"]["output"]["voice"] == "ash"
    assert sessions["front"]["audio"]["input"]["turn_detection"] is None
    assert sessions["front"]["audio"]["input"]["noise_reduction"] is None
    assert sessions["front"]["model_name"] == "gpt-realtime-mini"
    assert "model_name" not in sessions["billing"]


@on_virtual_time()
async def test_how_an_agent_may_be_interrupted_is_part_of_the_calls_plan(tmp_path: Path) -> None:
    own = 'AgentSettings(sensitivity="low", backchannels=["ja"], uninterruptible=["This call is recorded."])'
    scenario = scenario_in(tmp_path, with_settings(f'settings = {{"front": {own}}}\n'))
    rig = CallRig(scenario, desks)
    plan = rig.session.call.plan
    assert plan.barge_in == {"front": BargeIn("low", ("ja",), ("This call is recorded.",))}
    assert AgentSettings().barge_in() == BargeIn()
    assert AgentSettings(uninterruptible=True).barge_in() == BargeIn(uninterruptible=True)


class Listened(ToneVoice):
    """The tones, and how fast each text was to be said."""

    def __init__(self) -> None:
        self.speeds: list[float] = []

    def speak(self, text: str, *, voice: str, speed: float) -> Iterator[Spoken]:
        self.speeds.append(speed)
        return super().speak(text, voice=voice, speed=speed)


def desks(turn: Turn) -> Iterable[Act]:
    if last_text(turn) == "billing please":
        yield Call("transfer_to_billing", "{}")
    else:
        yield Say("Fine.")


@pytest.mark.parametrize("way", ["start", "handoff", "switch"])
@on_virtual_time()
async def test_an_agents_settings_are_in_force_when_it_starts_after_a_handoff_and_after_a_switch(
    tmp_path: Path, way: str
) -> None:
    voice = Listened()
    choices: list[Any] = []

    def answer(turn: Turn) -> Iterable[Act]:
        choices.append(turn.tool_choice)
        return desks(turn)

    scenario = scenario_in(tmp_path, with_settings(OWN))
    rig = CallRig(scenario, answer, agent="billing" if way == "start" else "front", voice=voice)
    async with rig:
        await rig.leg.pass_ms(1500)
        if way == "handoff":
            await rig.leg.pass_ms(3500, speech("billing please"))
        elif way == "switch":
            rig.leg.say({"type": "rtbridge.agent.switch", "agent": "billing"})
            await rig.leg.pass_ms(1500)
        assert rig.session.call.detection.value == {"type": "semantic_vad", "eagerness": "high"}
        sent = rig.session.call.arbiter.configuration.sent
        assert sent["audio"]["input"]["noise_reduction"] == {"type": "near_field"}
        if way != "start":
            rig.leg.say({"type": "rtbridge.agent.switch", "agent": "front"})
            await rig.leg.pass_ms(1500)
    own = {"type": "function", "name": "look_up"}
    if way == "start":
        assert (voice.speeds, choices) == ([1.25], [own])
    else:
        assert voice.speeds == [1.0, 1.25, 1.0]
        assert (choices[0], choices[-2], choices[-1]) == ("auto", own, "auto")
    assert rig.entries(journal.UpstreamErred) == []


@on_virtual_time()
async def test_another_voice_is_heard_where_the_call_starts_and_noticed_where_it_comes_too_late(
    tmp_path: Path,
) -> None:
    scenario = scenario_in(tmp_path, with_settings('settings = {"billing": AgentSettings(voice="ash")}\n'))
    async with CallRig(scenario, desks, agent="billing") as rig:
        await rig.leg.pass_ms(1500)
        assert rig.session.call.arbiter.configuration.sent["audio"]["output"]["voice"] == "ash"
        rig.leg.say({"type": "rtbridge.agent.switch", "agent": "front"})
        await rig.leg.pass_ms(1500)
    told = [event["message"] for event in rig.leg.events_told("rtbridge.notice")]
    assert told == ["the voice sage is not taken: a call keeps the voice that was heard first"]
    assert rig.entries(journal.UpstreamErred) == []
