"""A call on a terminal, as it happens: who said what, tools, handoffs. One line each, from the events of `oai-events`.

What the agent said is what was heard of it; what was cut off stands behind it in brackets.
"""

from __future__ import annotations

from typing import Any, Final, TextIO

MOST: Final = 400  # characters of a tool's arguments or output


class Transcript:
    """Prints to `stream`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._agent = "agent"

    def event(self, at_ms: int, event: dict[str, Any]) -> None:
        """Take one event, at so many ms of the call."""
        line = self._line(event)
        if line is not None:
            plain = "".join(c if c.isprintable() else " " for c in line)  # a model's text may hold escapes
            print(f"{at_ms / 1000:7.1f} s  {plain}", file=self._stream, flush=True)

    def _line(self, event: dict[str, Any]) -> str | None:
        match event.get("type"):
            case "rtbridge.call.opened":
                self._agent = event["agent"]
                return f"-- {event['scenario']}, at {event['upstream']}"
            case "conversation.item.input_audio_transcription.completed":
                return f"caller: {event['transcript'].strip() or '(nothing understood)'}"
            case "rtbridge.item.heard":
                cut = f" [{event['unheard_text'].strip()}]" if event["unheard_text"].strip() else ""
                return f"{self._agent}: {event['heard_text'].strip()}{cut}"
            case "rtbridge.tool.started":
                return f"-- tool {event['name']} {_short(event['arguments'])}"
            case "rtbridge.tool.ended":
                return f"-- tool {event['name']} -> {_short(event['output'])} ({event['took_ms']} ms)"
            case "rtbridge.agent.handed_off":
                self._agent = event["to"]
                return f"-- {event['from']} hands over to {event['to']}"
            case "rtbridge.notice":
                return f"-- {event['message']}"
            case "error":
                return f"-- error: {event['error']['message']}"
            case "rtbridge.call.closed":
                return f"-- the call is over: {event['reason']}"
        return None


def _short(text: str) -> str:
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"
