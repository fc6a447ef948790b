"""BridgeModel: the seam under the Agents SDK's RealtimeSession. The wire is ours, agents and tools are the SDK's.

Downwards it only asks: every wish of the SDK becomes an Ask for the call, whose arbiter alone writes to the
upstream. Upwards it delivers the few events that make tools run and handoffs happen. It has no socket, no playback
and no clock, and it is the one file of rtbridge that knows private names of openai-agents (all of them in
BridgeSession); `tests/upstream/test_sdk_contract.py` fails first when they move.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from agents.exceptions import UserError
from agents.realtime import (
    RealtimeAgent,
    RealtimeModel,
    RealtimeModelConfig,
    RealtimeModelListener,
    RealtimeModelSendEvent,
    RealtimeModelSendInterrupt,
    RealtimeModelSendSessionUpdate,
    RealtimeModelSendToolOutput,
    RealtimeModelSendUserInput,
    RealtimeModelToolCallEvent,
    RealtimeModelTurnStartedEvent,
    RealtimeSession,
    RealtimeSessionEvent,
    RealtimeSessionModelSettings,
    RealtimeToolApprovalRequired,
)

from rtbridge.core.asks import Ask, ConfigureSession, NeedApproval, StopSpeaking, ToolOutput, UserText
from rtbridge.errors import Refused
from rtbridge.upstream.normalize import normalize
from rtbridge.upstream.port import WireEvent
from rtbridge.upstream.wire import wire_session

MAX_CALL_IDS = 4096  # function calls of one connection that are remembered, so that none runs twice

log = structlog.get_logger("rtbridge.upstream")


class BridgeModel(RealtimeModel):
    """A RealtimeModel whose wire is a call. Serves one session at a time."""

    def __init__(self, ask: Callable[[Ask], None]) -> None:
        """`ask` takes each wish in order, at once, and must not raise or block."""
        self._ask = ask
        self._listeners: list[RealtimeModelListener] = []
        self._connected = False
        self._open_calls: dict[str, str] = {}  # call_id -> tool name, delivered and not yet answered
        self._known_calls: dict[str, None] = {}  # an ordered set
        self._response_id: str | None = None
        self.whose: Callable[[], str] = lambda: ""  # the name of the agent whose session is asked for
        self.unreadable = 0  # events of a known type whose shape was wrong

    @property
    def open_calls(self) -> dict[str, str]:
        """Return the function calls that were delivered and have no output yet: call_id -> name."""
        return dict(self._open_calls)

    async def connect(self, options: RealtimeModelConfig) -> None:
        """Ask for the first session. There is no socket to open; the session that owns the call has one."""
        if self._connected:
            raise AssertionError("BridgeModel serves one session at a time")
        self._connected = True
        settings = options.get("initial_model_settings") or RealtimeSessionModelSettings()
        self._ask(self._configure(settings, first=True))

    def add_listener(self, listener: RealtimeModelListener) -> None:
        """Add a listener; twice the same counts once."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def remove_listener(self, listener: RealtimeModelListener) -> None:
        """Remove a listener, if it is there."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    async def send_event(self, event: RealtimeModelSendEvent) -> None:
        """Turn a wish of the SDK into an Ask.

        Raises UserError for what has its own road: audio (it never passes through here) and raw wire events
        (the arbiter is their only author).
        """
        self._commit(event)

    async def send_event_if(self, event: RealtimeModelSendEvent, send_if: Callable[[], bool]) -> bool:
        """Ask if `send_if()` holds. Atomic: nothing is awaited between the check and the ask."""
        if not send_if():
            return False
        self._commit(event)
        return True

    def _commit(self, event: RealtimeModelSendEvent) -> None:
        if isinstance(event, RealtimeModelSendToolOutput):
            # The SDK asks for no response after an unknown tool, which is dead air: whether a response follows
            # is the arbiter's to decide, for every output alike.
            self.answer(event.tool_call.call_id, event.output)
        elif isinstance(event, RealtimeModelSendSessionUpdate):
            self._ask(self._configure(event.session_settings, first=False))
        elif isinstance(event, RealtimeModelSendUserInput):
            self._ask(UserText(text=_user_text(event)))
        elif isinstance(event, RealtimeModelSendInterrupt):
            # Scoped to a response that is not the latest: its audio was flushed or heard long ago, and what
            # plays now is not meant (contract of RealtimeModelSendInterrupt.response_id).
            if event.response_id is None or event.response_id == self._response_id:
                self._ask(StopSpeaking())
        else:
            raise UserError(
                f"{type(event).__name__} does not pass through the agents' session: audio goes from the caller's "
                "leg straight to the upstream, and wire events are written by the call's arbiter alone."
            )

    def _configure(self, settings: RealtimeSessionModelSettings, *, first: bool) -> ConfigureSession:
        model = str(settings.get("model_name") or "")
        return ConfigureSession(wire_session(settings, first=first), self.whose(), model)

    def answer(self, call_id: str, output: str) -> None:
        """Give a function call its output, once; a second output for the same call is dropped."""
        if call_id in self._known_calls and call_id not in self._open_calls:
            return
        self._open_calls.pop(call_id, None)
        self._ask(ToolOutput(call_id=call_id, output=output))

    def need_approval(self, call_id: str, arguments: str) -> None:
        """Ask for a person's word on a function call that was delivered."""
        self._ask(NeedApproval(call_id, self._open_calls.get(call_id, ""), arguments))

    def forget(self, call_id: str) -> None:
        """Take a function call for answered: whoever refused it has told the upstream."""
        self._open_calls.pop(call_id, None)

    async def deliver(self, event: WireEvent) -> None:
        """Take one upstream server event, after the call has handled it. Never raises on what is in it.

        A function call that the call holds back (its response was cancelled) must not be delivered.
        """
        normalized = normalize(event)
        if normalized is None:
            self.unreadable += 1
            return
        for item in normalized:
            if isinstance(item, RealtimeModelToolCallEvent) and not self._open(item):
                return
            if isinstance(item, RealtimeModelTurnStartedEvent):
                self._response_id = item.response_id
            for listener in tuple(self._listeners):
                await listener.on_event(item)

    def _open(self, call: RealtimeModelToolCallEvent) -> bool:
        if call.call_id in self._known_calls:
            log.warning("tool.repeated", call_id=call.call_id, name=call.name)
            return False
        self._known_calls[call.call_id] = None
        self._open_calls[call.call_id] = call.name
        while len(self._known_calls) > MAX_CALL_IDS:
            oldest = next(iter(self._known_calls))
            del self._known_calls[oldest]
            self._open_calls.pop(oldest, None)
        return True

    async def close(self) -> None:
        """Forget the session. The wire is not ours to close."""
        self._connected = False
        self._open_calls.clear()


class BridgeSession(RealtimeSession):
    """The SDK's session as a call needs it: it cannot be ended by a tool, and it queues nothing.

    Differs from RealtimeSession in two ways. A tool call that fails in a place where the SDK gives up (a raising
    guardrail, on_handoff, is_enabled or instructions function) is answered with an error instead of ending the
    session (in its own words when on_handoff raises Refused). Session events go to `tell` at once instead of into an
    unbounded queue, so `async for` over it yields nothing; a tool call that needs an approval is asked for through
    the model, and `settle` brings the answer.
    """

    def __init__(
        self,
        model: BridgeModel,
        agent: RealtimeAgent[Any],
        context: Any,
        *,
        settings: RealtimeSessionModelSettings,
        tell: Callable[[RealtimeSessionEvent], None] = lambda _event: None,
        per_agent: Mapping[str, RealtimeSessionModelSettings] | None = None,
        tracing: bool = False,
    ) -> None:
        """`settings` are what all agents share (voice, turn detection); `tell` must not raise or block.

        `per_agent` are whole settings by agent's name, laid over the shared ones whenever that agent takes over.
        """
        shared = settings.copy()
        if tracing:
            shared.setdefault("tracing", {"workflow_name": "rtbridge"})
        super().__init__(
            model,
            agent,
            context,
            model_config={"initial_model_settings": shared},
            # Off the loop that reads the upstream, always: a tool in it would block audio for its whole duration.
            run_config={"async_tool_calls": True, "tracing_disabled": not tracing},
        )
        self._bridge = model
        self._per_agent = dict(per_agent or {})
        model.whose = lambda: str(self._current_agent.name)
        self._tell = tell

    async def switch(self, agent: RealtimeAgent[Any], *, within_s: float) -> str | None:
        """Make `agent` the one whose tools run, and ask for its session; return what went wrong, in words, or None.

        Its instructions and `is_enabled` functions are asked first, for `within_s`; when they fail, all stays.
        Calls of the agent before it go on with that agent's tools.
        """
        try:
            async with asyncio.timeout(within_s):
                await self.update_agent(agent)
        except TimeoutError:
            return f"the session of {agent.name!r} was not made within {within_s:g} s"
        except Exception as error:  # noqa: BLE001 - user code: instructions functions may raise anything
            log.error("agent.switch_failed", agent=agent.name, error=type(error).__name__)
            return f"the session of {agent.name!r} could not be made: {type(error).__name__}"
        return None

    async def _get_updated_model_settings_from_agent(
        self, starting_settings: RealtimeSessionModelSettings | None, agent: RealtimeAgent[Any]
    ) -> RealtimeSessionModelSettings:
        made = await super()._get_updated_model_settings_from_agent(starting_settings, agent)
        made.update(self._per_agent.get(agent.name, {}))
        return made

    async def _put_event(self, event: RealtimeSessionEvent) -> bool:
        return self._put_event_nowait(event)

    def _put_event_nowait(self, event: RealtimeSessionEvent) -> bool:
        if self._closing or self._closed:
            return False
        if isinstance(event, RealtimeToolApprovalRequired):
            self._bridge.need_approval(event.call_id, event.arguments)
        self._tell(event)
        return True

    async def _handle_tool_call(self, event: RealtimeModelToolCallEvent, **routing: Any) -> None:
        try:
            await super()._handle_tool_call(event, **routing)
        except Refused as no:  # a handoff that must not be made now; the agent that asked for it goes on
            log.info("handoff.refused", call_id=event.call_id, name=event.name)
            refusal = {"error": {"type": "refused", "message": str(no)}}
            self._bridge.answer(event.call_id, json.dumps(refusal, ensure_ascii=False))
        except Exception as error:  # noqa: BLE001 - a tool task's border: user code may raise anything
            log.error("tool.failed", call_id=event.call_id, name=event.name, error=type(error).__name__)
            self._bridge.answer(
                event.call_id,
                json.dumps(
                    {
                        "error": {
                            "type": "tool_failed",
                            "message": f"{event.name} failed. Tell the caller so and offer another way.",
                        }
                    }
                ),
            )

    async def settle(self, call_id: str, *, approved: bool) -> None:
        """Run a tool call that waits for an approval, or forget it: the call has told the model then."""
        if approved:
            await self.approve_tool_call(call_id)
        else:
            self._bridge.forget(call_id)
            await self.reject_tool_call(call_id)


def _user_text(event: RealtimeModelSendUserInput) -> str:
    said = event.user_input
    if isinstance(said, str):
        return said
    parts = said.get("content") or []
    return "\n".join(str(part.get("text") or "") for part in parts if part.get("type") == "input_text")
