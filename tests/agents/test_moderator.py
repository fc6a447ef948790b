"""The bridge's run of guardrails: per sentence and whole, four states, never a pass without a verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agents import Agent, GuardrailFunctionOutput, InputGuardrail, OutputGuardrail, RunContextWrapper
from moderation_rig import ListModel, SaidModel
from rtbridge.agents.context import CallContext
from rtbridge.agents.moderation import Guardrail, default_guardrails
from rtbridge.agents.moderator import MAX_ITEMS, MAX_WAITING, Moderator, sentences
from rtbridge.core import journal
from rtbridge.core.asks import Judged as Verdict
from rtbridge.replay.clock import on_virtual_time

FINE = "Hello there. How can I help you today? Ask me anything"


class Rig:
    """A moderator, what it asks, and what it notes."""

    def __init__(
        self,
        model: SaidModel | None = None,
        guardrails: tuple[Guardrail, ...] | None = None,
        off: Callable[[str], bool] = lambda agent: False,
    ) -> None:
        self.model = model or ListModel()
        self.noted: list[journal.GuardrailJudged] = []
        self.verdicts: list[Verdict] = []
        context = CallContext("s", "a", text_model=lambda name: self.model)
        self.moderator = Moderator(
            default_guardrails("NewTelco") if guardrails is None else guardrails,
            context=context,
            agent=lambda: Agent(name="a"),
            note=self._note,
            report=self.verdicts.append,
            timeout_s=1.5,
            now=asyncio.get_running_loop().time,
            off=off,
        )

    def _note(self, entry: journal.Entry) -> None:
        assert isinstance(entry, journal.GuardrailJudged)
        self.noted.append(entry)

    @property
    def asked(self) -> list[str]:
        return [text for _, text in self.model.asked]

    def states(self, item_id: str = "i") -> list[str]:
        return [entry.state for entry in self.noted if entry.item_id == item_id]

    def stream(self, text: str, item_id: str = "i") -> None:
        for at in range(0, len(text), 7):
            delta = text[at : at + 7]
            self.moderator.said(item_id, delta)


@asynccontextmanager
async def running(rig: Rig) -> Any:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(rig.moderator.run())
        yield rig
        task.cancel()


def slow(seconds: float, words: str = "") -> Callable[[str], Awaitable[None]]:
    async def wait(text: str) -> None:
        if words in text:
            await asyncio.sleep(seconds)

    return wait


@on_virtual_time()
async def test_every_sentence_is_checked_as_it_comes_and_the_answer_as_a_whole() -> None:
    async with running(Rig(ListModel(slow(0.2)))) as rig:
        rig.stream(FINE)
        await asyncio.sleep(0.5)
        assert rig.asked == ["Hello there.", "How can I help you today?"]
        assert rig.states() == ["pending"]
        rig.moderator.noted(journal.AgentSaid("i", "a", FINE))
        await asyncio.sleep(0.5)
        assert rig.asked[2:] == ["Ask me anything", FINE]
        assert rig.states() == ["pending", "pass"]
    last = rig.noted[-1]
    assert (last.category, last.text, last.latency_ms, last.who) == ("NONE", FINE, 200, "agent")


@on_virtual_time()
async def test_the_first_sentence_that_trips_settles_the_item_before_the_answer_is_whole() -> None:
    async with running(Rig(ListModel(slow(0.1)))) as rig:
        rig.stream("Well then. You are an idiot. Is there more? ")
        await asyncio.sleep(0.2)
        assert rig.states() == ["pending", "fail"]
        rig.moderator.done("i", "Well then. You are an idiot. Is there more? No.")
        await asyncio.sleep(0.2)
    assert rig.states() == ["pending", "fail"]
    failed = rig.noted[-1]
    assert (failed.category, failed.text, failed.latency_ms) == ("OFFENSIVE", "You are an idiot.", 100)
    assert failed.rationale == "It insults a person or a group."


@on_virtual_time()
async def test_a_short_text_and_a_tail_without_an_end_are_checked_too() -> None:
    async with running(Rig()) as rig:
        rig.moderator.done("short", "Moron")
        rig.stream("All is well. You moron")
        rig.moderator.done("i", "All is well. You moron")
        await asyncio.sleep(0.1)
    assert rig.states("short") == rig.states("i") == ["pending", "fail"]


@on_virtual_time()
async def test_what_is_harmless_in_parts_fails_as_a_whole() -> None:
    async with running(Rig()) as rig:
        rig.stream("They will blow up. The building ")
        rig.moderator.done("i", "They will blow up. The building")
        rig.moderator.done("j", "Go and blow up\nthe building")
        await asyncio.sleep(0.1)
    assert rig.states("i") == ["pending", "pass"]  # the full stop parts the words
    assert rig.states("j") == ["pending", "fail"]
    assert rig.noted[-1].text == "Go and blow up\nthe building"


@on_virtual_time()
async def test_a_single_sentence_is_asked_about_once() -> None:
    async with running(Rig()) as rig:
        rig.stream("Hello there.")
        rig.moderator.done("i", "Hello there.")
        await asyncio.sleep(0.1)
    assert rig.asked == ["Hello there."]
    assert rig.states() == ["pending", "pass"]


@on_virtual_time()
async def test_a_classifier_that_is_late_leaves_the_item_unchecked() -> None:
    async with running(Rig(ListModel(slow(60)))) as rig:
        rig.moderator.done("i", "Hello there.")
        rig.moderator.caller("u", "Hello there.")
        await asyncio.sleep(1.2)
        assert rig.states() == ["pending"]
        await asyncio.sleep(0.1)
        assert rig.states() == ["pending", "unchecked"]
        await asyncio.sleep(0.1)
        assert rig.states("u") == ["pending"]
        await asyncio.sleep(0.2)
    _, _, first, other = rig.noted
    assert (first.category, first.latency_ms) == (
        None,
        1250,
    )  # somebody waits for a first sentence in silence
    assert first.rationale == "the guardrail moderation gave no answer within 1.25 s"
    assert other.rationale == "the guardrail caller_moderation gave no answer within 1.5 s"


@on_virtual_time()
@pytest.mark.parametrize("answer", ["", "certainly!", '{"category": "NONE"}'])
async def test_a_classifier_that_answers_nonsense_leaves_the_item_unchecked(answer: str) -> None:
    async with running(Rig(SaidModel(answer))) as rig:
        rig.moderator.done("i", "Hello there.")
        await asyncio.sleep(0.1)
    assert rig.states() == ["pending", "unchecked"]
    assert rig.noted[-1].rationale == "the guardrail moderation failed"


@on_virtual_time()
async def test_a_classifier_that_raises_harms_neither_the_call_nor_the_next_check() -> None:
    async def broken(text: str) -> None:
        if "now" in text:
            raise RuntimeError("secret")

    async with running(Rig(ListModel(broken))) as rig:
        rig.moderator.done("i", "Not now.")
        rig.moderator.done("j", "Hello.")
        await asyncio.sleep(0.1)
    assert (rig.states("i"), rig.states("j")) == (["pending", "unchecked"], ["pending", "pass"])
    assert "secret" not in str(rig.noted)


@on_virtual_time()
async def test_the_whole_answer_makes_up_for_a_sentence_that_was_late_and_waits_for_it() -> None:
    async with running(Rig(ListModel(slow(1.0, "Slow")))) as rig:
        rig.model = ListModel(slow(60, "Late"))
        rig.stream("Late one. Next one. ")
        await asyncio.sleep(2)
        rig.model = ListModel()
        rig.moderator.done("i", "Late one. Next one.")
        await asyncio.sleep(0.1)
    assert rig.states() == ["pending", "pass"]


class LenientOfWholes(ListModel):
    """Takes its time for sentences, and passes what is longer than one."""

    async def answer(self, text: str) -> str:
        if text.count(".") > 1:
            return '{"rationale": "x", "category": "NONE"}'
        await asyncio.sleep(1)
        return await super().answer(text)


@on_virtual_time()
async def test_a_whole_that_passed_waits_for_its_sentences_and_one_that_trips_fails_it() -> None:
    async with running(Rig(LenientOfWholes())) as rig:
        rig.moderator.done("i", "You moron. Bye.")
        rig.moderator.done("j", "You there. Bye.")
        await asyncio.sleep(0.5)
        assert rig.states("i") == rig.states("j") == ["pending"]
        await asyncio.sleep(1)
    assert rig.states("i") == ["pending", "fail"]
    assert rig.states("j") == ["pending", "pass"]


@on_virtual_time()
async def test_an_answer_that_was_cut_short_is_judged_by_what_there_is_of_it() -> None:
    async with running(Rig()) as rig:
        rig.stream("It was a dark night. And then")
        rig.moderator.noted(journal.ItemHeard("i", 300, 900, "It was", "a dark night. And then"))
        rig.stream("Never heard at all", "j")
        rig.moderator.noted(journal.ItemDeleted("j"))
        rig.moderator.noted(journal.ItemDeleted("unknown"))
        await asyncio.sleep(0.1)
    assert rig.states("i") == rig.states("j") == ["pending", "pass"]
    assert not rig.states("unknown")


@on_virtual_time()
async def test_words_that_come_after_a_pass_are_pending_again() -> None:
    async with running(Rig()) as rig:
        rig.moderator.done("i", "Hello.")
        await asyncio.sleep(0.1)
        rig.moderator.done("i", "Hello.")
        rig.moderator.done("i", "Hello. You moron.")
        rig.moderator.done("j", "One. Two.")
        await asyncio.sleep(0.1)
        rig.moderator.done("j", "Another text.")
        await asyncio.sleep(0.1)
    assert rig.states() == ["pending", "pass", "pending", "fail"]
    assert rig.states("j") == ["pending", "pass", "pending", "pass"]
    assert rig.noted[-1].text == "Another text."


@on_virtual_time()
async def test_what_the_caller_says_is_checked_by_the_input_guardrails() -> None:
    async with running(Rig()) as rig:
        rig.moderator.noted(journal.CallerSaid("u", "You are an idiot"))
        rig.moderator.noted(journal.CallerSaid("v", "Hi", typed=True))
        rig.moderator.noted(journal.CallerSaid("w", " "))
        await asyncio.sleep(0.1)
    assert rig.states("u") == ["pending", "fail"]
    assert rig.states("v") == ["pending", "pass"]
    assert not rig.states("w")
    assert {entry.who for entry in rig.noted} == {"caller"}


@on_virtual_time()
async def test_a_scenarios_own_guardrails_run_in_order_and_the_first_that_trips_counts() -> None:
    async def no_prices(ctx: RunContextWrapper[Any], agent: Any, said: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput("a price was named", tripwire_triggered="$" in said)

    def polite(ctx: RunContextWrapper[Any], agent: Any, said: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(None, tripwire_triggered="please" not in said)

    rails = (OutputGuardrail(no_prices, name="no_prices"), OutputGuardrail(polite), InputGuardrail(polite))
    async with running(Rig(guardrails=rails)) as rig:
        rig.moderator.done("i", "That is $5 please.")
        rig.moderator.done("j", "Come in.")
        rig.moderator.done("k", "Come in please.")
        rig.moderator.caller("u", "Let me in!")
        await asyncio.sleep(0.1)
    found = {entry.item_id: entry for entry in rig.noted}
    assert [found[one].state for one in "ijku"] == ["fail", "fail", "pass", "fail"]
    assert (found["i"].category, found["i"].rationale) == ("no_prices", "a price was named")
    assert (found["j"].category, found["k"].category) == ("polite", "NONE")
    assert not rig.asked


@on_virtual_time()
async def test_without_guardrails_nothing_is_said_about_anything() -> None:
    rig = Rig(guardrails=())
    rig.stream(FINE)
    rig.moderator.done("i", FINE)
    rig.moderator.caller("u", "Hi")
    await rig.moderator.run()  # there is nothing to wait for
    assert not rig.noted


@on_virtual_time()
async def test_what_is_undecided_when_the_call_ends_is_unchecked() -> None:
    async with running(Rig(ListModel(slow(1)))) as rig:
        rig.moderator.done("i", "Hello.")
        await asyncio.sleep(0.1)
    assert rig.states() == ["pending", "unchecked"]
    assert rig.noted[-1].rationale == "the call ended before it was checked"


@on_virtual_time()
async def test_checks_that_find_no_room_and_texts_that_are_too_long_are_unchecked() -> None:
    async with running(Rig(ListModel(slow(0.1)))) as rig:
        for number in range(MAX_WAITING + 2):
            rig.moderator.caller(f"u{number}", "Hi")
        rig.moderator.caller("long", "word " * 4000)
        await asyncio.sleep(10)
    waiting = [rig.states(f"u{number}")[-1] for number in range(MAX_WAITING + 2)]
    assert waiting == ["pass"] * MAX_WAITING + ["unchecked"] * 2
    assert rig.states("long") == ["pending", "unchecked"]
    assert len(rig.noted[-1].text or "") <= 1_001


@on_virtual_time()
async def test_old_items_are_forgotten() -> None:
    async with running(Rig()) as rig:
        for number in range(MAX_ITEMS + 10):
            rig.moderator.said(f"i{number}", "no end")
    assert len(rig.moderator._items) == MAX_ITEMS


def test_sentences_end_where_a_speaker_would_pause() -> None:
    text = 'It costs $3.50. "Really?" Yes!\nBest… wait 你好。And'
    assert [one.strip() for one in sentences(text)] == [
        "It costs $3.50.",
        '"Really?"',
        "Yes!",
        "Best…",
        "wait 你好。",
    ]
    endless = "word " * 200
    pieces = list(sentences(endless))
    assert endless.startswith("".join(pieces))
    assert len(endless) - len("".join(pieces)) <= 400
    assert max(map(len, pieces)) <= 400
    assert [len(one) for one in sentences("x" * 900)] == [400, 400]


@on_virtual_time()
async def test_every_stretch_of_an_answer_is_reported_with_its_verdict_and_together_they_are_the_answer() -> (
    None
):
    async with running(Rig(ListModel(slow(0.5, "first")))) as rig:
        rig.stream("My first. \n My second. You moron. ")
        await asyncio.sleep(0.1)
        assert [(one.state, one.start, one.end) for one in rig.verdicts] == [
            ("pass", 10, 11),
            ("pass", 11, 23),
            ("fail", 23, 34),
        ]
        assert rig.verdicts[-1].why == "OFFENSIVE"
        rig.moderator.done("j", "Hi. You there")
        rig.moderator.caller("u", "Hello")
        await asyncio.sleep(0.6)
    assert [(one.start, one.end) for one in rig.verdicts if one.item_id == "j"] == [(0, 4), (4, 13)]
    assert [one for one in rig.verdicts if one.who == "caller"] == [Verdict("u", "pass", 0, 5, "caller")]


@on_virtual_time()
async def test_an_answer_that_fails_as_a_whole_is_reported_and_one_that_differs_from_its_deltas_is_one_stretch() -> (
    None
):
    async with running(Rig()) as rig:
        rig.moderator.done("i", "Go and blow up\nthe building")
        rig.stream("One. Two. ", "j")
        rig.moderator.done("j", "Another text.")
        await asyncio.sleep(0.1)
    assert [one.state for one in rig.verdicts if one.item_id == "i"] == ["pass", "pass", "fail"]
    assert rig.verdicts[-1] == Verdict("j", "pass", 0, 13)


@on_virtual_time()
async def test_an_item_that_was_stopped_is_checked_no_further_and_shown_as_what_it_was_stopped_for() -> None:
    async with running(Rig(ListModel(slow(60, "Late")))) as rig:
        rig.stream("Late one. ")
        await asyncio.sleep(1.3)
        assert [one.state for one in rig.verdicts] == ["unchecked"]
        rig.moderator.noted(journal.GuardrailTripped("i", "unchecked", "gate", 0, "safe_phrase"))
        rig.moderator.noted(journal.GuardrailTripped("i", "unchecked", "gate", 0, "safe_phrase"))
        rig.moderator.noted(journal.GuardrailTripped("unknown", "fail", "gate", 0, "corrected"))
        rig.stream("More of it. ")
        rig.moderator.done("i", "Late one. More of it.")
        await asyncio.sleep(0.1)
    assert rig.states() == ["pending", "unchecked"]
    assert rig.asked == ["Late one."]


@on_virtual_time()
async def test_agents_that_are_off_are_not_checked() -> None:
    async with running(Rig(off=lambda agent: agent == "free")) as rig:
        rig.moderator.noted(journal.AgentSaid("i", "free", "You moron."))
        rig.moderator.noted(journal.AgentSaid("j", "bound", "You moron."))
        await asyncio.sleep(0.1)
    assert rig.states("i") == []
    assert rig.states("j") == ["pending", "fail"]
