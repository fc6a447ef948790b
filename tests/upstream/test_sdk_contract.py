"""What rtbridge relies on in openai-agents beyond its documented surface. When the SDK moves, these fail first.

Each name is asserted where it is defined, with the signature that is called or overridden, so that the failure says
what moved; how it behaves is covered by test_traps.py.
"""

from __future__ import annotations

import dataclasses
import inspect
from importlib.metadata import version
from typing import Any

import pytest
from agents.realtime import (
    RealtimeAgent,
    RealtimeModel,
    RealtimeModelSendInterrupt,
    RealtimeModelSendSessionUpdate,
    RealtimeModelSendToolOutput,
    RealtimeModelSendUserInput,
    RealtimeRunConfig,
    RealtimeSession,
    RealtimeSessionModelSettings,
    model_inputs,
)
from agents.tool_context import ToolContext

from agents import FunctionTool, Handoff, RunContextWrapper, default_tool_error_function, function_tool
from agents import tool as sdk_tool
from rtbridge.core.asks import ConfigureSession, ToolOutput
from rtbridge.upstream.model import BridgeModel, BridgeSession
from sdk_rig import agent_with, function_call, sdk


def _parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_the_sdk_is_the_version_that_was_read() -> None:
    assert version("openai-agents").split(".")[:2] == ["0", "24"]


def test_a_model_has_exactly_the_methods_that_bridge_model_gives() -> None:
    assert RealtimeModel.__abstractmethods__ == {
        "connect",
        "add_listener",
        "remove_listener",
        "send_event",
        "close",
    }
    public = {
        name for name in vars(RealtimeModel) if not name.startswith("__") and not name.startswith("_abc")
    }
    assert public == {*RealtimeModel.__abstractmethods__, "send_event_if", "_retire_response_audio"}
    assert _parameters(RealtimeModel.send_event_if) == ["self", "event", "send_if"]


def test_what_a_session_sends_is_one_of_six() -> None:
    sends = {name for name in vars(model_inputs) if name.startswith("RealtimeModelSend")} - {
        "RealtimeModelSendEvent"
    }
    assert sends == {
        "RealtimeModelSendAudio",
        "RealtimeModelSendInterrupt",
        "RealtimeModelSendRawMessage",
        "RealtimeModelSendSessionUpdate",
        "RealtimeModelSendToolOutput",
        "RealtimeModelSendUserInput",
    }
    fields = {
        kind: {field.name for field in dataclasses.fields(kind)}
        for kind in (
            RealtimeModelSendInterrupt,
            RealtimeModelSendSessionUpdate,
            RealtimeModelSendToolOutput,
            RealtimeModelSendUserInput,
        )
    }
    assert fields[RealtimeModelSendInterrupt] >= {"response_id", "playback_only", "cancel_response_only"}
    assert fields[RealtimeModelSendSessionUpdate] == {"session_settings"}
    assert fields[RealtimeModelSendToolOutput] == {"tool_call", "output", "start_response"}
    assert fields[RealtimeModelSendUserInput] == {"user_input"}


def test_the_session_has_the_private_methods_that_bridge_session_overrides() -> None:
    assert _parameters(RealtimeSession._put_event) == ["self", "event"]
    assert inspect.iscoroutinefunction(RealtimeSession._put_event)
    assert _parameters(RealtimeSession._put_event_nowait) == ["self", "event"]
    assert not inspect.iscoroutinefunction(RealtimeSession._put_event_nowait)
    assert inspect.iscoroutinefunction(RealtimeSession._handle_tool_call)
    routing = list(inspect.signature(RealtimeSession._handle_tool_call).parameters.values())
    assert [parameter.name for parameter in routing[:2]] == ["self", "event"]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in routing[2:])
    assert _parameters(RealtimeSession.approve_tool_call) == ["self", "call_id", "always"]
    assert _parameters(RealtimeSession.reject_tool_call) == ["self", "call_id", "always", "rejection_message"]


_MADE = "_get_updated_model_settings_from_agent"


def test_every_session_of_an_agent_is_made_in_the_one_place_that_bridge_session_adds_to() -> None:
    assert _parameters(getattr(RealtimeSession, _MADE)) == ["self", "starting_settings", "agent"]
    assert inspect.iscoroutinefunction(getattr(RealtimeSession, _MADE))
    for maker in (
        RealtimeSession.__aenter__,
        RealtimeSession.update_agent,
        RealtimeSession._handle_tool_call,
    ):
        assert f"self.{_MADE}(" in inspect.getsource(maker)


def test_the_session_has_the_private_fields_that_bridge_session_reads_and_none_that_it_hides() -> None:
    plain = RealtimeSession(BridgeModel(lambda _ask: None), agent_with(), None)
    assert plain._closing is False
    assert plain._closed is False
    assert plain._current_agent.name == "solo"
    assert not hasattr(RealtimeSession, "switch")
    assert not {"_bridge", "_tell", "_per_agent"} & set(vars(plain))
    own = {name for name in vars(BridgeSession) if not name.startswith(("__", "_abc"))}
    assert own - {"_put_event", "_put_event_nowait", "_handle_tool_call", _MADE} == {"switch", "settle"}


def test_only_put_event_and_its_sibling_fill_the_queue() -> None:
    source = inspect.getsource(RealtimeSession)
    assert source.count("_event_queue.put(") == 1
    assert inspect.getsource(RealtimeSession._put_event).count("_event_queue.put(") == 1
    # The sentinel for waiting iterators is the rest.
    assert source.count("_event_queue.put_nowait(") == 3
    assert "create_task(self._handle_tool_call(" in inspect.getsource(RealtimeSession._enqueue_tool_call_task)


def test_the_run_config_has_the_keys_that_bridge_session_sets() -> None:
    assert {"async_tool_calls", "tracing_disabled"} <= set(RealtimeRunConfig.__annotations__)


def test_the_model_settings_have_the_keys_that_the_wire_reads() -> None:
    assert set(RealtimeSessionModelSettings.__annotations__) == {
        "audio",
        "handoffs",
        "input_audio_format",
        "input_audio_noise_reduction",
        "input_audio_transcription",
        "instructions",
        "max_output_tokens",
        "modalities",
        "model_name",
        "output_audio_format",
        "output_modalities",
        "parallel_tool_calls",
        "prompt",
        "reasoning",
        "speed",
        "tool_choice",
        "tools",
        "tracing",
        "turn_detection",
        "voice",
    }


def test_the_failure_handler_of_a_tool_can_be_read_and_taken_off() -> None:
    def own(_ctx: RunContextWrapper[Any], _error: Exception) -> str:
        return "own"

    @function_tool
    def plain() -> str:
        return "x"

    @function_tool(failure_error_function=own)
    def handled() -> str:
        return "x"

    resolve = sdk_tool.resolve_function_tool_failure_error_function
    assert resolve(plain) is default_tool_error_function
    assert resolve(handled) is own
    sdk_tool.set_function_tool_failure_error_function(plain, None)
    assert resolve(plain) is None


def test_tools_and_handoffs_are_dataclasses_with_the_fields_that_are_replaced() -> None:
    tool_fields = {field.name for field in dataclasses.fields(FunctionTool)}
    assert {
        "name",
        "params_json_schema",
        "on_invoke_tool",
        "timeout_seconds",
        "needs_approval",
    } <= tool_fields
    handoff_fields = {field.name for field in dataclasses.fields(Handoff)}
    assert {"tool_name", "agent_name", "on_invoke_handoff", "input_json_schema"} <= handoff_fields
    target: RealtimeAgent[Any] = RealtimeAgent(name="haikuWriter")
    assert Handoff.default_tool_name(target) == "transfer_to_haikuwriter"  # why the bridge overrides it


async def test_an_invoker_that_says_so_gets_the_tools_context() -> None:
    seen: list[Any] = []

    async def invoke(ctx: ToolContext[Any], arguments: str) -> str:
        seen.append(ctx)
        return arguments

    tool = FunctionTool(
        name="t",
        description="",
        params_json_schema={"type": "object"},
        on_invoke_tool=invoke,
        strict_json_schema=False,
    )
    context = ToolContext(None, tool_name="t", tool_call_id="call_1", tool_arguments="{}")
    await sdk_tool.invoke_function_tool(function_tool=tool, context=context, arguments="{}")
    assert seen == [context]


async def test_the_sdk_changes_no_agent_that_it_runs() -> None:
    @function_tool
    async def ping() -> str:
        return "pong"

    billing = agent_with(ping, name="billing")
    start = agent_with(ping, handoffs=[billing])

    def picture(agent: RealtimeAgent[Any]) -> dict[str, Any]:
        return {field.name: repr(getattr(agent, field.name)) for field in dataclasses.fields(agent)}

    before = [picture(agent) for agent in (start, billing)]
    for _call in range(2):
        async with sdk(start) as (rig, _session):
            await rig.deliver(function_call("ping"))
            assert await rig.asked() == ToolOutput("call_1", "pong")
            await rig.deliver(function_call("transfer_to_billing", call_id="call_2"))
            assert isinstance(await rig.asked(), ConfigureSession)
            assert isinstance(await rig.asked(), ToolOutput)
    assert [picture(agent) for agent in (start, billing)] == before


async def test_without_bridge_session_a_raising_tool_would_not_be_answered() -> None:
    # The reason why _handle_tool_call is overridden; when this fails, the override may go.
    @function_tool(failure_error_function=None)
    async def broken() -> str:
        raise RuntimeError("no")

    asks: list[Any] = []
    model = BridgeModel(asks.append)
    session = RealtimeSession(model, agent_with(broken), None)
    await session.enter()
    await model.deliver(function_call("broken"))
    with pytest.raises(RuntimeError):
        async for _event in session:
            pass
    assert not any(isinstance(ask, ToolOutput) for ask in asks)
