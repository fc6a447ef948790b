"""The responses of a call as far as they are known: what each holds, and which tool results each waits for.

Those that ended stay for a while, since events about them come late.
"""

from __future__ import annotations

from rtbridge.core.bounds import ENDING
from rtbridge.core.requests import Response

MAX_REMEMBERED = 256  # responses, and calls that nobody waits for


class Responses:
    """By id, the newest last."""

    def __init__(self) -> None:
        self._known: dict[str, Response] = {}
        self._disowned: dict[str, None] = {}  # tool calls whose results nobody waits for any more

    def add(self, response: Response) -> None:
        """Note a response."""
        self._known[response.response_id] = response
        while len(self._known) > MAX_REMEMBERED:
            del self._known[next(iter(self._known))]

    def get(self, response_id: str) -> Response | None:
        """Return what is known of a response, active or lately ended."""
        return self._known.get(response_id)

    def item_added(self, response_id: str, item_id: str) -> None:
        """Note a message item of a response, in order."""
        response = self._known.get(response_id)
        if response is not None and item_id not in response.items:
            response.items.append(item_id)

    def tool_called(self, response_id: str, call_id: str) -> None:
        """Note a call whose result the response's answer must wait for."""
        response = self._known.get(response_id)
        if response is not None:
            response.calls.add(call_id)

    @property
    def await_tools(self) -> bool:
        """Whether any result is missing that somebody waits for."""
        return any(response.calls for response in self._known.values())

    def tool_ended(self, call_id: str, cause: str) -> str | None:
        """Note a result; return why the model is to go on, if it is: the result was waited for, and the last one.

        That is `cause`, unless an earlier result of the same response asks for an end.
        """
        if call_id in self._disowned:
            del self._disowned[call_id]
            return None
        response = next((one for one in self._known.values() if call_id in one.calls), None)
        if response is None:
            return cause
        response.calls.discard(call_id)
        response.ending = response.ending or cause == ENDING
        if response.calls:
            return None
        return ENDING if response.ending else cause

    def disown_calls(self) -> None:
        """Wait for no tool's result any more: results are kept when they come, and ask for no response."""
        for response in self._known.values():
            self._disowned.update(dict.fromkeys(response.calls))
            response.calls.clear()
        while len(self._disowned) > MAX_REMEMBERED:
            del self._disowned[next(iter(self._disowned))]

    def disowns(self, call_id: str) -> bool:
        """Whether nobody waits for this tool's result any more."""
        return call_id in self._disowned
