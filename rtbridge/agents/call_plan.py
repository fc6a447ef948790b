"""What a call is told of its scenario, its settings and its upstream before it begins, as one `Plan`."""

from __future__ import annotations

from typing import Protocol

from agents import InputGuardrail, OutputGuardrail
from rtbridge.agents.agent_settings import AgentSettings
from rtbridge.agents.scenario import Scenario
from rtbridge.core.gate import Policy
from rtbridge.core.plan import Plan
from rtbridge.settings import Settings


class Far(Protocol):
    """What has to be known of an upstream's capabilities (`rtbridge.upstream.port.Capabilities`)."""

    @property
    def is_engine(self) -> bool:
        """Whether it is the embedded engine."""
        ...

    @property
    def word_times(self) -> bool:
        """Whether its transcript comes in step with its audio."""
        ...


def plan_of(
    scenario: Scenario, agent: str, *, call_id: str, upstream_url: str, far: Far, settings: Settings
) -> Plan:
    """Return the plan of a call that starts at `agent`."""
    return Plan(
        call_id=call_id,
        scenario=scenario.id,
        agent=agent,
        agents=tuple(scenario.agents),
        handoffs=scenario.handoffs,
        upstream_url=upstream_url,
        model=settings.model,
        demo=far.is_engine,
        word_times=far.word_times,
        fillers=scenario.fillers,
        approval_fillers=scenario.approval_fillers,
        barge_in={name: own.barge_in() for name, own in scenario.settings.items()},
        approver=scenario.approval or settings.approval,
        approval_timeout_s=settings.approval_timeout_s,
        guardrails=policies(scenario),
        guardrails_open=settings.moderation_open,
        hears_first=settings.moderation_first
        and any(isinstance(one, InputGuardrail) for one in scenario.guardrails),
        max_call_s=settings.max_call_s,
        hold_s=settings.hold_s,
    )


def policies(scenario: Scenario) -> dict[str, Policy]:
    """Return how each agent of a scenario is watched over; none is where there is nothing to check with."""
    if not any(isinstance(one, OutputGuardrail) for one in scenario.guardrails):
        return {}
    return {name: scenario.settings.get(name, AgentSettings()).guardrail for name in scenario.agents}
