"""The guardrails as the Agents SDK knows them: what the classifier is asked, and what its answer does."""

from __future__ import annotations

import pytest
from agents.exceptions import (
    InputGuardrailTripwireTriggered,
    ModelBehaviorError,
    OutputGuardrailTripwireTriggered,
)
from agents.models.interface import Model

from agents import Agent, RunConfig, RunContextWrapper, Runner
from moderation_rig import FixedModel, SaidModel
from rtbridge.agents.context import CallContext
from rtbridge.agents.moderation import Judged, caller_guardrail, moderation_guardrail

AGENT = Agent[None](name="a")
FINE = '{"rationale": "It is a greeting.", "category": "NONE"}'
BAD = '{"rationale": "It insults.", "category": "OFFENSIVE"}'
QUIET = RunConfig(tracing_disabled=True)


async def test_the_verdict_comes_with_the_text_and_trips_on_every_category_but_none() -> None:
    for answer, tripped in [
        (FINE, False),
        (BAD, True),
        (BAD.replace("OFFENSIVE", "VIOLENCE"), True),
        (BAD.replace("OFFENSIVE", "OFF_BRAND"), True),
    ]:
        guardrail = moderation_guardrail("NewTelco", model=FixedModel(answer))
        result = await guardrail.run(RunContextWrapper(None), AGENT, "Hello there.")
        assert result.output.tripwire_triggered is tripped
        assert isinstance(result.output.output_info, Judged)
        assert result.output.output_info.text == "Hello there."
        assert result.output.output_info.rationale in answer


async def test_the_classifier_is_told_the_company_and_gets_the_text_alone() -> None:
    model = FixedModel(FINE)
    await moderation_guardrail("Snowy Peak Boards", model=model).run(RunContextWrapper(None), AGENT, "Hi.")
    await caller_guardrail(None, model=model).run(AGENT, "Ho.", RunContextWrapper(None))
    (instructions, text), (of_caller, said) = model.asked
    assert "Snowy Peak Boards" in instructions
    assert all(name in instructions for name in ("OFFENSIVE", "OFF_BRAND", "VIOLENCE", "NONE"))
    assert "a caller of the company" in of_caller
    assert (text, said) == ("Hi.", "Ho.")


@pytest.mark.parametrize(
    "answer", ["", "NONE", '{"rationale": "x"}', '{"rationale": "x", "category": "FINE"}']
)
async def test_an_answer_in_another_shape_is_an_error_and_no_pass(answer: str) -> None:
    with pytest.raises(ModelBehaviorError):
        await moderation_guardrail("X", model=FixedModel(answer)).run(RunContextWrapper(None), AGENT, "Hi.")


async def test_without_a_model_of_its_own_it_asks_the_calls_text_endpoint_for_the_one_of_the_settings() -> (
    None
):
    wanted = []

    def text_model(name: str) -> Model:
        wanted.append(name)
        return FixedModel(FINE)

    context = CallContext("s", "a", text_model=text_model, moderation_model="small")
    await moderation_guardrail("X").run(RunContextWrapper(context), AGENT, "Hi.")
    await moderation_guardrail("X", model="other").run(RunContextWrapper(context), AGENT, "Hi.")
    assert wanted == ["small", "other"]
    with pytest.raises(TypeError, match="give the guardrail a model"):
        await moderation_guardrail("X").run(RunContextWrapper(None), AGENT, "Hi.")


async def test_the_stock_runner_takes_both_guardrails_as_they_are() -> None:
    speaker = SaidModel("You fool.")
    agent = Agent[None](
        name="a", model=speaker, output_guardrails=[moderation_guardrail("X", model=FixedModel(BAD))]
    )
    with pytest.raises(OutputGuardrailTripwireTriggered) as tripped:
        await Runner.run(agent, "Hello", run_config=QUIET)
    assert tripped.value.guardrail_result.output.output_info == Judged(
        "It insults.", "OFFENSIVE", "You fool."
    )
    polite = Agent[None](
        name="a", model=speaker, input_guardrails=[caller_guardrail("X", model=FixedModel(BAD))]
    )
    with pytest.raises(InputGuardrailTripwireTriggered):
        await Runner.run(polite, "Hello", run_config=QUIET)
