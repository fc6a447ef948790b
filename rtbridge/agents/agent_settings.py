"""AgentSettings: how one agent of a scenario hears and speaks, where it differs from the others.

A scenario's `agents.py` says it in `settings = {"returns": AgentSettings(speed=1.1)}`. What an agent does not say is
the scenario's: a session.update only adds to the session before it, so the session of each agent carries all of it,
and what one agent changed is changed back by the next. They hold from the agent's start, handoff or switch on.

Two things the Realtime API does not change within a session: the model, and the voice once audio was spoken. Who asks
for them there speaks on as before, and the journal says so once (`notice`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from agents.realtime import RealtimeAgent, RealtimeSessionModelSettings

from agents import Handoff
from rtbridge.core.barge_in import BACKCHANNELS, SENSITIVITIES, BargeIn, Sensitivity
from rtbridge.core.dialect import turn_detection_problem
from rtbridge.core.gate import POLICIES, Policy

Agent = RealtimeAgent[Any]

VOICES: Final = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse")
MIN_SPEED: Final = 0.25
MAX_SPEED: Final = 1.5
_CHOICES: Final = ("auto", "none", "required")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """What one agent does otherwise; what is left out is the scenario's."""

    voice: str | None = None
    speed: float | None = None  # 0.25 to 1.5, 1 is the voice's own
    tool_choice: str | None = None  # auto | none | required | the name of one of the agent's tools
    turn_detection: Mapping[str, Any] | Literal["shared"] | None = (
        "shared"  # as on the wire; None is push to talk
    )
    noise_reduction: Literal["near_field", "far_field", "off"] | None = None
    model: str | None = None
    guardrail: Policy = "gate"
    """gate: nothing is heard unchecked; observe: played at once, cut at a verdict against it; off: not checked."""
    sensitivity: Sensitivity = "medium"
    """What interrupts it: low, only who goes on speaking; high, the shortest voice."""
    backchannels: Sequence[str] | None = None
    """Words that do not interrupt it, instead of "mm-hmm", "okay" and their like."""
    uninterruptible: bool | Sequence[str] = False
    """True, or those of its sentences that are heard to their end whoever speaks."""

    def barge_in(self) -> BargeIn:
        """Return how the agent may be interrupted, as the core takes it."""
        spans = self.uninterruptible
        return BargeIn(
            self.sensitivity,
            BACKCHANNELS if self.backchannels is None else tuple(self.backchannels),
            spans if isinstance(spans, bool) else tuple(spans),
        )


def session_of(
    base: RealtimeSessionModelSettings, own: AgentSettings, all_settings: Mapping[str, AgentSettings]
) -> RealtimeSessionModelSettings:
    """Return the session of an agent: `base`, the scenario's, with the agent's own on it.

    What any agent of `all_settings` changes is spelled out, also where it is the usual.
    """
    audio: Any = base["audio"]
    heard, spoken = dict(audio["input"]), dict(audio["output"])
    result = base.copy()
    if own.voice is not None:
        spoken["voice"] = own.voice
    if any(one.speed is not None for one in all_settings.values()):
        spoken["speed"] = 1.0 if own.speed is None else own.speed
    if any(one.noise_reduction is not None for one in all_settings.values()):
        kind = own.noise_reduction
        heard["noise_reduction"] = None if kind in (None, "off") else {"type": kind}
    if own.turn_detection != "shared":
        heard["turn_detection"] = own.turn_detection
    if any(one.tool_choice is not None for one in all_settings.values()):
        result["tool_choice"] = own.tool_choice or "auto"
    if own.model is not None:
        result["model_name"] = own.model
    result["audio"] = {"input": heard, "output": spoken}  # type: ignore[typeddict-item]
    return result


def problems(given: object, agents: Mapping[str, Agent]) -> Iterator[str]:
    """Yield what is wrong with a scenario's `settings`: the agent, what is wrong, and what to do."""
    if not isinstance(given, Mapping):
        yield f"`settings` is a {type(given).__name__}; make it a dict of agents' names and AgentSettings"
        return
    for name, own in given.items():
        if name not in agents:
            yield f"`settings` names {name!r}, which is no agent here; there are: {', '.join(agents)}"
        elif not isinstance(own, AgentSettings):
            yield f"settings of {name!r} are a {type(own).__name__}; make them AgentSettings(...)"
        else:
            yield from (f"settings of {name!r}: {problem}" for problem in _own_problems(own, agents[name]))


def _own_problems(own: AgentSettings, agent: Agent) -> Iterator[str]:
    for one in fields(own):
        value = getattr(own, one.name)
        if one.name in ("voice", "tool_choice", "model") and not (
            value is None or (isinstance(value, str) and value)
        ):
            yield f"{one.name} is {value!r}; make it a name or leave it out"
            return
    if own.voice is not None and own.voice not in VOICES:
        yield f"there is no voice {own.voice!r}; there are: {', '.join(VOICES)}"
    speed: object = own.speed
    if speed is not None and (
        isinstance(speed, bool) or not isinstance(speed, int | float) or not MIN_SPEED <= speed <= MAX_SPEED
    ):
        yield f"speed is {speed!r}; make it a number from {MIN_SPEED} to {MAX_SPEED}"
    if own.tool_choice is not None and own.tool_choice not in _CHOICES:
        tools = [tool.name for tool in agent.tools]
        tools += [entry.tool_name for entry in agent.handoffs if isinstance(entry, Handoff)]
        if own.tool_choice not in tools and not agent.mcp_servers:
            there = ", ".join((*_CHOICES, *tools))
            yield f"tool_choice is {own.tool_choice!r}; make it one of {there}"
    if own.turn_detection not in (None, "shared"):
        wrong = turn_detection_problem(own.turn_detection)
        if wrong is not None:
            yield f"turn_detection{'.' * bool(wrong[0])}{wrong[0]} {wrong[1]}"
    if own.noise_reduction not in (None, "near_field", "far_field", "off"):
        yield f"noise_reduction is {own.noise_reduction!r}; make it near_field, far_field or off"
    if own.guardrail not in POLICIES:
        yield f"guardrail is {own.guardrail!r}; make it gate, observe or off"
    if own.sensitivity not in SENSITIVITIES:
        yield f"sensitivity is {own.sensitivity!r}; make it one of {', '.join(SENSITIVITIES)}"
    if own.backchannels is not None and not _are_texts(own.backchannels):
        yield f'backchannels is {own.backchannels!r}; make it a list of words like "okay", or leave it out'
    if not isinstance(own.uninterruptible, bool) and not _are_texts(own.uninterruptible):
        yield f"uninterruptible is {own.uninterruptible!r}; make it True, or a list of the agent's sentences"


def _are_texts(given: object) -> bool:
    return isinstance(given, list | tuple) and all(isinstance(one, str) and one.strip() for one in given)
