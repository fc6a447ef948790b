"""Every trap of the SDK and the protocol that a plain call, a tool call or a handoff can fall into, and its test.

Numbers are those of the study of openai-agents 0.24 on which the seam was built. A trap in the wire's timing is
the arbiter's, and is tested with it; a trap in the SDK is tested here, with its own session above our model.

 1  interrupt() does not stop the model         test_interrupting_the_session_stops_the_agent
 2  late audio after a barge-in is played       test_nothing_of_audio_passes_through_the_sdk
 3  the wrong item is truncated                 test_a_barge_in_on_the_wire_makes_the_sdk_ask_for_nothing
 5  audio_interrupted at every turn             test_a_barge_in_on_the_wire_makes_the_sdk_ask_for_nothing
 7  response.create while the caller speaks     test_a_tool_output_asks_for_no_response_of_its_own
 9  parallel tools are not joined               test_parallel_tools_give_one_output_each_as_they_finish
10  unknown tool: dead air                      test_an_unknown_tool_is_answered_like_every_other
10  pending approval: dead air                  test_a_tool_that_wants_approval_waits_and_runs_when_it_is_given
                                                test_a_tool_that_is_refused_never_runs_and_is_not_answered_twice
11  a tool's error ends the session             test_a_tool_that_raises_is_answered_and_the_session_lives
                                                test_a_tool_guardrail_that_raises_is_answered_and_the_session_lives
                                                test_a_handoff_that_raises_is_answered_and_the_agent_stays
12  guardrails of the SDK run on deltas         test_nothing_of_audio_passes_through_the_sdk
14  items in order of arrival                   test_items_take_their_place_after_the_item_they_name
15  item.retrieve after each transcription      test_transcriptions_and_truncations_ask_for_nothing
15  audio stays in the history                  test_audio_never_enters_the_sdks_history
17  another voice at a handoff is an error      test_a_handoff_keeps_the_voice_and_never_sends_tracing_again
18  the new agent speaks before its session     test_a_handoff_configures_the_session_before_it_gives_its_output
20  a failed response is silent                 test_a_failed_response_ends_its_turn_whatever_is_in_it
21  an invalid response.done is a deadlock      test_a_failed_response_ends_its_turn_whatever_is_in_it
 -  bad events end the iteration                test_bad_events.py::test_bad_events_never_raise_and_are_counted
 -  unbounded queue nobody reads                test_bridge_session.py::test_the_session_queues_nothing
 -  a call that was cut runs                    test_bad_events.py::test_a_function_call_that_was_cut_does_not_run
 -  one call id, two runs                       test_bad_events.py::test_a_function_call_that_comes_twice_runs_once
 -  a close by the server ends it quietly       test_websocket.py::test_every_close_nobody_asked_for_is_a_loss
22  permessage-deflate                          test_websocket.py::test_it_offers_no_compression

In core, where most of them are decided (each test's name says the trap):

 2  core/test_traps.py::test_trap_2_late_deltas_after_a_barge_in_never_play_and_are_not_told
 3  core/test_traps.py::test_trap_3_of_two_items_the_one_that_plays_is_cut_and_the_one_behind_it_deleted
 4  core/test_traps.py::test_trap_4_nothing_played_is_deleted_and_never_truncated_at_zero
 5  core/test_traps.py::test_trap_5_speech_long_after_an_answer_interrupts_nothing
 6  core/test_traps.py::test_trap_6_speech_before_the_first_audio_cancels_the_answer_that_was_asked_for
 7  core/test_traps.py::test_trap_7_a_tool_that_is_done_while_the_caller_speaks_is_answered_with_their_words
 8  core/test_traps.py::test_trap_8_a_refused_create_is_retried_once_the_other_response_is_done
 9  core/test_arbiter.py::test_trap_9_the_outputs_of_one_response_join_into_one_create
10  core/test_approval.py::test_nobody_answers_in_time_and_the_model_is_told_that_nothing_was_done
10  core/test_arbiter.py::test_trap_10_the_result_of_a_tool_that_nobody_knows_makes_the_model_go_on
14  core/test_traps.py::test_trap_14_late_items_stand_where_previous_item_id_puts_them
15  core/test_traps.py::test_trap_15_items_are_never_retrieved
18  core/test_arbiter.py::test_trap_18_a_handoff_is_session_acknowledged_then_output_then_one_create_in_the_new_role
20  core/test_traps.py::test_trap_20_a_failed_response_is_asked_for_again_once_and_then_told
21  core/test_arbiter.py::test_trap_21_a_response_that_falls_silent_is_cancelled_and_given_up
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from agents.realtime import realtime_handoff
from agents.tool_guardrails import (
    ToolGuardrailFunctionOutput,
    ToolInputGuardrailData,
    tool_input_guardrail,
)

from agents import RunContextWrapper, function_tool
from rtbridge.agents.tools import guarded
from rtbridge.core.asks import Ask, ConfigureSession, NeedApproval, StopSpeaking, ToolOutput
from rtbridge.upstream.model import BridgeModel, BridgeSession
from sdk_rig import agent_with, created, done, function_call, message, sdk, weather

AUDIO = "UklGRg" * 1000


@function_tool(failure_error_function=None)
async def broken() -> str:
    raise RuntimeError("the secret is 42")


async def test_interrupting_the_session_stops_the_agent() -> None:
    async with sdk(agent_with()) as (rig, session):
        await session.interrupt()
        assert await rig.asked() == StopSpeaking()


async def test_nothing_of_audio_passes_through_the_sdk() -> None:
    ids = {"response_id": "resp_1", "item_id": "a1", "output_index": 0, "content_index": 0}
    async with sdk(agent_with()) as (rig, _session):
        for kind in ("response.output_audio.delta", "response.output_audio_transcript.delta"):
            await rig.deliver({"type": kind, "event_id": "e", "delta": AUDIO, **ids})
        await rig.deliver({"type": "response.output_audio.done", "event_id": "e", **ids})
        assert rig.listener.events == []


async def test_a_barge_in_on_the_wire_makes_the_sdk_ask_for_nothing() -> None:
    async with sdk(agent_with()) as (rig, _session):
        await rig.deliver(
            created(),
            {"type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 100},
            done(status="cancelled"),
            {"type": "conversation.item.truncated", "item_id": "a1", "content_index": 0, "audio_end_ms": 40},
        )
        assert rig.listener.types == ["turn_started", "turn_ended"]
        assert rig.asks.empty()


async def test_a_tool_output_asks_for_no_response_of_its_own() -> None:
    async with sdk(agent_with(weather)) as (rig, _session):
        await rig.deliver(function_call("weather", '{"city": "Oslo"}'))
        assert await rig.asked() == ToolOutput(call_id="call_1", output="Oslo: sunny")
        assert rig.asks.empty()
        assert rig.model.open_calls == {}


async def test_parallel_tools_give_one_output_each_as_they_finish() -> None:
    gate = asyncio.Event()

    @function_tool
    async def slow() -> str:
        await gate.wait()
        return "slow"

    async with sdk(agent_with(weather, slow)) as (rig, _session):
        await rig.deliver(
            function_call("slow", call_id="call_s"),
            function_call("weather", '{"city": "Rome"}', call_id="call_w"),
            done(),
        )
        assert await rig.asked() == ToolOutput("call_w", "Rome: sunny")
        assert rig.model.open_calls == {"call_s": "slow"}
        gate.set()
        assert await rig.asked() == ToolOutput("call_s", "slow")


async def test_an_unknown_tool_is_answered_like_every_other() -> None:
    async with sdk(agent_with(weather)) as (rig, _session):
        await rig.deliver(function_call("nope"))
        assert await rig.asked() == ToolOutput("call_1", "Tool nope not found")
        await rig.deliver(function_call("weather", '{"city": "Oslo"}', call_id="call_2"))
        assert await rig.output() == "Oslo: sunny"


async def test_a_tool_that_wants_approval_waits_and_runs_when_it_is_given() -> None:
    @function_tool(needs_approval=True)
    async def refund() -> str:
        return "refunded"

    async with sdk(agent_with(refund)) as (rig, session):
        await rig.deliver(function_call("refund"))
        assert await rig.asked() == NeedApproval("call_1", "refund", "{}")
        assert rig.model.open_calls == {"call_1": "refund"}
        await session.settle("call_1", approved=True)
        assert await rig.output() == "refunded"
        await session.settle("call_1", approved=True)
        assert rig.asks.empty()


async def test_a_tool_that_is_refused_never_runs_and_is_not_answered_twice() -> None:
    @function_tool(needs_approval=True)
    async def refund() -> str:
        raise AssertionError("must not run")

    async with sdk(agent_with(refund, weather)) as (rig, session):
        await rig.deliver(function_call("refund"))
        assert isinstance(await rig.asked(), NeedApproval)
        await session.settle("call_1", approved=False)
        assert rig.model.open_calls == {}
        await rig.deliver(function_call("weather", '{"city": "Oslo"}', call_id="call_2"))
        assert await rig.asked() == ToolOutput("call_2", "Oslo: sunny")


async def test_a_needs_approval_that_raises_is_no_yes() -> None:
    async def policy(_ctx: object, _arguments: object, _call_id: str) -> bool:
        raise RuntimeError("the policy server is down")

    @function_tool(needs_approval=policy)
    async def refund() -> str:
        raise AssertionError("must not run")

    async with sdk(agent_with(guarded(refund))) as (rig, _session):
        await rig.deliver(function_call("refund"))
        assert (await rig.output())["error"]["type"] == "tool_failed"


@pytest.mark.parametrize("needs", [True, lambda _ctx, arguments, _call_id: arguments["cents"] > 500])
async def test_nobody_is_asked_about_arguments_that_the_tool_would_refuse(needs: Any) -> None:
    @function_tool(needs_approval=needs)
    async def refund(cents: int) -> str:
        return f"refunded {cents}"

    async with sdk(agent_with(guarded(refund))) as (rig, session):
        await rig.deliver(function_call("refund", '{"cents": "many"}'))
        assert (await rig.output())["error"]["field"] == "cents"
        await rig.deliver(function_call("refund", '{"cents": 900}', call_id="call_2"))
        assert await rig.asked() == NeedApproval("call_2", "refund", '{"cents": 900}')
        await session.settle("call_2", approved=True)
        assert await rig.output() == "refunded 900"


async def test_a_needs_approval_function_that_says_no_lets_the_tool_run_at_once() -> None:
    async def policy(_ctx: object, arguments: dict[str, int], _call_id: str) -> bool:
        return arguments["cents"] > 500

    @function_tool(needs_approval=policy)
    async def refund(cents: int) -> str:
        return f"refunded {cents}"

    async with sdk(agent_with(guarded(refund))) as (rig, _session):
        await rig.deliver(function_call("refund", '{"cents": 100}'))
        assert await rig.output() == "refunded 100"


async def test_a_tool_that_raises_is_answered_and_the_session_lives() -> None:
    async with sdk(agent_with(broken, weather)) as (rig, _session):
        await rig.deliver(function_call("broken"))
        answer = await rig.output()
        assert answer["error"]["type"] == "tool_failed"
        assert "42" not in json.dumps(answer)
        await rig.deliver(function_call("weather", '{"city": "Oslo"}', call_id="call_2"))
        assert await rig.output() == "Oslo: sunny"


async def test_a_tool_guardrail_that_raises_is_answered_and_the_session_lives() -> None:
    @tool_input_guardrail
    def never(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.raise_exception()

    @function_tool(tool_input_guardrails=[never])
    async def pay() -> str:
        raise AssertionError("must not run")

    async with sdk(agent_with(pay, weather)) as (rig, _session):
        await rig.deliver(function_call("pay"))
        assert (await rig.output())["error"]["type"] == "tool_failed"
        await rig.deliver(function_call("weather", '{"city": "Oslo"}', call_id="call_2"))
        assert await rig.output() == "Oslo: sunny"


async def test_a_handoff_that_raises_is_answered_and_the_agent_stays() -> None:
    async def on_handoff(_ctx: RunContextWrapper[Any]) -> None:
        raise RuntimeError("no")

    billing = agent_with(name="billing")
    start = agent_with(weather, handoffs=[realtime_handoff(billing, on_handoff=on_handoff)])
    async with sdk(start) as (rig, _session):
        await rig.deliver(function_call("transfer_to_billing"))
        assert (await rig.output())["error"]["type"] == "tool_failed"
        await rig.deliver(function_call("weather", '{"city": "Oslo"}', call_id="call_2"))
        assert await rig.output() == "Oslo: sunny"


async def test_items_take_their_place_after_the_item_they_name() -> None:
    async with sdk(agent_with()) as (rig, session):
        for item_id, previous in (("u1", None), ("a1", "u1"), ("u0", "root"), ("u2", "u1")):
            await rig.deliver(
                message(
                    "conversation.item.added",
                    item_id,
                    "user",
                    {"type": "input_text", "text": item_id},
                    previous_item_id=previous,
                )
            )
        updates = [event for event in rig.listener.events if event.type == "item_updated"]
        assert [event.item.previous_item_id for event in updates] == [None, "u1", None, "u1"]
        assert [item.item_id for item in session._history] == ["u1", "u2", "a1", "u0"]


async def test_transcriptions_and_truncations_ask_for_nothing() -> None:
    async with sdk(agent_with()) as (rig, _session):
        await rig.deliver(
            message("conversation.item.added", "u1", "user", {"type": "input_audio", "transcript": None}),
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": "u1",
                "content_index": 0,
                "transcript": "hello",
            },
            {"type": "conversation.item.truncated", "item_id": "a1", "content_index": 0, "audio_end_ms": 40},
        )
        assert rig.listener.types == ["item_updated", "input_audio_transcription_completed"]
        assert rig.asks.empty()


async def test_audio_never_enters_the_sdks_history() -> None:
    said = {"type": "output_audio", "audio": AUDIO, "transcript": "hi"}
    async with sdk(agent_with()) as (rig, session):
        await rig.deliver(
            message("conversation.item.added", "u1", "user", {"type": "input_audio", "audio": AUDIO}),
            message("response.output_item.added", "a1", "assistant", said),
            message("response.output_item.done", "a1", "assistant", said),
            message("conversation.item.retrieved", "a1", "assistant", said),
            message("conversation.item.done", "a1", "assistant", said),
        )
        kept = json.dumps([item.model_dump() for item in session._history])
        assert [item.item_id for item in session._history] == ["u1", "a1"]
        assert '"hi"' in kept
        assert AUDIO[:100] not in kept


async def test_a_handoff_configures_the_session_before_it_gives_its_output() -> None:
    billing = agent_with(weather, name="billing")
    async with sdk(agent_with(handoffs=[billing])) as (rig, _session):
        await rig.deliver(function_call("transfer_to_billing"), done())
        first, second = await rig.asked(), await rig.asked()
        assert isinstance(first, ConfigureSession)
        assert first.session["instructions"] == "You are billing."
        assert [tool["name"] for tool in first.session["tools"]] == ["weather"]
        assert second == ToolOutput("call_1", '{"assistant": "billing"}')
        await rig.deliver(function_call("weather", '{"city": "Oslo"}', call_id="call_2"))
        assert await rig.output() == "Oslo: sunny"


async def test_a_handoff_keeps_the_voice_and_never_sends_tracing_again() -> None:
    asks: list[Ask] = []
    arrived = asyncio.Event()

    def ask(wish: Ask) -> None:
        asks.append(wish)
        if isinstance(wish, ToolOutput):
            arrived.set()

    model = BridgeModel(ask)
    start = agent_with(handoffs=[agent_with(name="billing")])
    voice: Any = {"audio": {"output": {"voice": "sage"}}}
    async with BridgeSession(model, start, None, settings=voice, tracing=True):
        await model.deliver(function_call("transfer_to_billing"))
        await asyncio.wait_for(arrived.wait(), 5)
    sessions = [wish.session for wish in asks if isinstance(wish, ConfigureSession)]
    assert [one["audio"]["output"]["voice"] for one in sessions] == ["sage", "sage"]
    assert [one.get("tracing") for one in sessions] == [{"workflow_name": "rtbridge"}, None]


@pytest.mark.parametrize(
    "more",
    [
        {"status": "failed", "status_details": {"type": "failed", "error": {"code": "insufficient_quota"}}},
        {"status": "incomplete", "status_details": {"reason": "max_output_tokens"}},
        {"status": "never heard of", "output": [{"type": "hologram"}]},
        {"usage": {"input_tokens": "many"}, "output": None},
    ],
)
async def test_a_failed_response_ends_its_turn_whatever_is_in_it(more: dict[str, Any]) -> None:
    async with sdk(agent_with(weather)) as (rig, _session):
        await rig.deliver(created(), done(**more))
        assert rig.listener.types[-1] == "turn_ended"
        await rig.deliver(created("resp_2"), function_call("weather", '{"city": "Oslo"}'), done("resp_2"))
        assert await rig.output() == "Oslo: sunny"


def test_every_trap_listed_above_has_its_test() -> None:
    assert __doc__ is not None
    named = re.findall(r"(?:(\w+/)?(test_\w+\.py)::)?(test_\w+)\b(?!\.py)", __doc__)
    assert len(named) > 20
    here = Path(__file__).parent
    for folder, file, test in named:
        where = (here.parent / folder / file) if folder else (here / (file or Path(__file__).name))
        assert f"def {test}(" in where.read_text(), f"{where}: {test}"
