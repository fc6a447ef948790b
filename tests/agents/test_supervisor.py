"""The supervisor: what it reads, how it calls tools, what is noted of it, and what is heard when it fails."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from agents.models.interface import Model
from agents.testing import ModelCall, ModelStep, ScriptedModel, assistant_message, function_call
from agents.tool import invoke_function_tool
from agents.tool_context import ToolContext

from agents import FunctionTool, function_tool
from rtbridge.agents.context import CallContext
from rtbridge.agents.local_text import AGENT_LABEL
from rtbridge.agents.supervisor import CONTEXT_FIELD, FAILED, TOO_LATE, Supervisor
from rtbridge.agents.tools import guarded
from rtbridge.core.journal import Entry, ToolEnded, ToolStarted
from rtbridge.replay.clock import on_virtual_time

HEARD = [
    ("chatAgent", "Hi, you've reached NewTelco, how can I help you?"),
    ("user", "Why was my last bill so high?"),
    ("chatAgent", "What is your phone number?"),
    ("user", "206 135 1246"),
    ("chatAgent", ""),
]


@function_tool
def account(phone_number: str) -> dict[str, str]:
    """Find an account."""
    return {"balance": "$42.17", "of": phone_number}


class Rig:
    """One call with a scripted text model."""

    def __init__(self, *steps: Any, tools: Sequence[FunctionTool] = (account,), **how: Any) -> None:
        self.model = ScriptedModel(steps)
        self.asked_for: list[str] = []
        self.notes: list[Entry] = []
        self.supervisor = Supervisor("supervisorAgent", "You supervise.", tools, **how)
        self.context = CallContext(
            "shop",
            "chatAgent",
            transcript=lambda: HEARD,
            text_model=self.find,
            note=self.notes.append,
        )

    def find(self, name: str) -> Model:
        self.asked_for.append(name)
        return self.model

    async def ask(self, relevant: str = "Bill question.") -> dict[str, Any]:
        """Call its tool as the SDK does, guarded as the bridge has it."""
        tool = guarded(self.supervisor.as_tool("Asks the supervisor."))
        text = json.dumps({CONTEXT_FIELD: relevant})
        ctx = ToolContext(self.context, tool_name=tool.name, tool_call_id="call_7", tool_arguments=text)
        answer = await invoke_function_tool(function_tool=tool, context=ctx, arguments=text)
        found: dict[str, Any] = json.loads(answer)
        return found


def calls(name: str, **arguments: str) -> list[Any]:
    return [function_call(name, json.dumps(arguments), call_id="x")]


async def test_the_answer_is_the_next_response() -> None:
    rig = Rig([assistant_message("Your bill was $42.17.")])
    assert await rig.ask() == {"nextResponse": "Your bill was $42.17."}


async def test_it_reads_what_was_heard_in_order_and_then_what_it_is_asked() -> None:
    rig = Rig([assistant_message("ok")])
    await rig.ask("Phone number (206) 135-1246.")
    (asked,) = rig.model.calls
    assert asked.system_instructions == "You supervise."
    assert isinstance(asked.input, list)
    read: list[Any] = list(asked.input)
    assert [(item["role"], item["content"]) for item in read[:4]] == [
        ("assistant", HEARD[0][1]),
        ("user", HEARD[1][1]),
        ("assistant", HEARD[2][1]),
        ("user", HEARD[3][1]),
    ]
    assert [item["role"] for item in read[4:]] == ["developer", "user"]
    assert read[-1]["content"] == "Phone number (206) 135-1246."


async def test_its_calls_and_their_results_are_noted_under_its_name_in_order() -> None:
    rig = Rig(calls("account", phone_number="(206) 135-1246"), [assistant_message("It is $42.17.")])
    assert await rig.ask() == {"nextResponse": "It is $42.17."}
    arguments = '{"phone_number": "(206) 135-1246"}'
    started, ended = rig.notes
    assert started == ToolStarted("call_7.1", "account", arguments, "supervisorAgent")
    assert isinstance(ended, ToolEnded)
    assert (ended.call_id, ended.name, ended.by) == ("call_7.1", "account", "supervisorAgent")
    assert json.loads(ended.output) == {"balance": "$42.17", "of": "(206) 135-1246"}


@on_virtual_time()
async def test_tools_run_one_at_a_time_even_when_the_model_calls_two_at_once() -> None:
    running, most = 0, 0

    @function_tool
    async def slow(n: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return n

    two = [function_call("slow", f'{{"n": {n}}}', call_id=f"c{n}") for n in (1, 2)]
    rig = Rig(two, [assistant_message("done")], tools=[slow])
    await rig.ask()
    assert most == 1
    assert [type(entry).__name__ for entry in rig.notes] == ["ToolStarted", "ToolEnded"] * 2
    first = rig.model.calls[0].model_settings
    assert first.parallel_tool_calls is False


async def test_arguments_that_do_not_fit_go_back_to_the_model_and_nothing_runs() -> None:
    rig = Rig(calls("account"), [assistant_message("What is your number?")])
    assert await rig.ask() == {"nextResponse": "What is your number?"}
    ended = rig.notes[-1]
    assert isinstance(ended, ToolEnded)
    assert json.loads(ended.output)["error"]["field"] == "phone_number"


async def test_model_and_deadline_are_the_settings_unless_it_names_its_own() -> None:
    usual = Rig([assistant_message("ok")])
    await usual.ask()
    own = Rig([assistant_message("ok")], model="o4-mini")
    await own.ask()
    assert (usual.asked_for, own.asked_for) == (["gpt-4.1"], ["o4-mini"])
    assert usual.context.supervisor_timeout_s == 6.0


async def test_a_request_is_labelled_with_the_agent_that_makes_it() -> None:
    rig = Rig([assistant_message("ok")])
    await rig.ask()
    assert rig.model.calls[0].model_settings.metadata == {AGENT_LABEL: "shop/supervisorAgent"}


def late(gate: asyncio.Event, asked: asyncio.Event | None = None) -> Callable[[ModelCall], Awaitable[Any]]:
    async def answer(call: ModelCall) -> Any:
        if asked is not None:
            asked.set()
        await gate.wait()
        return [assistant_message("Too late.")]

    return answer


@on_virtual_time()
async def test_a_slow_model_gives_way_to_an_error_at_the_deadline_and_its_late_answer_is_dropped() -> None:
    gate = asyncio.Event()
    rig = Rig(ModelStep.respond(late(gate)), timeout_s=0.1)
    began_s = asyncio.get_running_loop().time()
    answer = await rig.ask()
    took_s = asyncio.get_running_loop().time() - began_s
    gate.set()
    await asyncio.sleep(0)
    assert answer == {"error": TOO_LATE}
    assert took_s == pytest.approx(0.1)
    assert rig.notes == []


@on_virtual_time()
async def test_a_tool_that_is_cut_off_by_the_deadline_is_noted_as_ended() -> None:
    never = asyncio.Event()  # held here: a task that waits for what nobody holds may be collected with it

    @function_tool
    async def stuck() -> None:
        await never.wait()

    stuck.timeout_seconds = 5.0  # longer than the whole run
    rig = Rig(calls("stuck"), [assistant_message("done")], tools=[stuck], timeout_s=0.1)
    assert await rig.ask() == {"error": TOO_LATE}
    started, ended = rig.notes
    assert isinstance(started, ToolStarted)
    assert isinstance(ended, ToolEnded)
    assert json.loads(ended.output) == {"error": "the run ended first"}


async def test_a_thread_that_ends_after_its_time_is_not_heard_of_any_more() -> None:
    done = threading.Event()

    @function_tool
    def slow() -> str:
        assert done.wait(5)
        return "after all"

    rig = Rig(calls("slow"), [assistant_message("It takes too long.")], tools=[slow], timeout_s=0.4)
    assert await rig.ask() == {"nextResponse": "It takes too long."}
    noted = list(rig.notes)
    done.set()
    for thread in threading.enumerate():
        if thread.name == "tool":
            await asyncio.to_thread(thread.join)
    assert rig.notes == noted
    assert "after all" not in str(noted)


@on_virtual_time()
async def test_a_tool_that_hangs_leaves_the_model_time_to_say_so() -> None:
    @function_tool
    async def hanging() -> None:
        await asyncio.Event().wait()

    rig = Rig(calls("hanging"), [assistant_message("It takes too long.")], tools=[hanging], timeout_s=0.4)
    assert await rig.ask() == {"nextResponse": "It takes too long."}
    ended = rig.notes[-1]
    assert isinstance(ended, ToolEnded)
    assert json.loads(ended.output)["status"] == "unknown"


@pytest.mark.parametrize(
    "steps",
    [
        (RuntimeError("the endpoint is down: key sk-secret"),),
        ([assistant_message("   ")],),
        (calls("no_such_tool"),),
        tuple(calls("account", phone_number="(206) 135-1246") for _ in range(20)),
        (),
    ],
    ids=["endpoint down", "nothing to say", "unknown tool", "calls for ever", "no script"],
)
async def test_every_failure_is_an_error_that_can_be_spoken_about(steps: tuple[Any, ...]) -> None:
    assert await Rig(*steps).ask() == {"error": FAILED}


async def test_a_call_without_text_models_is_told_so() -> None:
    rig = Rig()
    rig.context.text_model = CallContext("shop", "chatAgent").text_model
    assert await rig.ask() == {"error": FAILED}


@on_virtual_time()
async def test_a_hung_up_call_cancels_the_run() -> None:
    asked = asyncio.Event()
    rig = Rig(ModelStep.respond(late(asyncio.Event(), asked)))
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(rig.ask())
        await asked.wait()
        run.cancel()
    assert run.cancelled()


async def test_two_questions_at_once_are_both_answered() -> None:
    rig = Rig([assistant_message("one")], [assistant_message("two")])
    answers = await asyncio.gather(rig.ask("a"), rig.ask("b"))
    assert [answer["nextResponse"] for answer in answers] == ["one", "two"]
