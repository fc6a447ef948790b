"""Keys of a telephone that spell a sensitive value, one by one: a PIN of which no entry of a journal holds the whole.

A key of such a value becomes a 0, as its sound would become silence: a replay can still press it, and the cassette
answers as it did.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from rtbridge.upstream.scrub import Scrubber

DTMF: Final = "rtbridge.dtmf"
RECEIVED: Final = "dtmf.received"
HIDDEN: Final = "0"


def mask_keys(
    events: Sequence[dict[str, Any]], messages: Sequence[dict[str, Any]], scrubber: Scrubber
) -> None:
    """Hide sensitive keys in a call's journal (`dtmf.received`) and in what its caller sent (`rtbridge.dtmf`)."""

    def journal(event: dict[str, Any]) -> Callable[[str], None]:
        return lambda keys: event.update(digit=keys)

    told = [(str(e.get("digit")), journal(e)) for e in events if e.get("event") == RECEIVED]
    _mask(told, scrubber)

    def message(row: dict[str, Any], event: dict[str, Any]) -> Callable[[str], None]:
        return lambda keys: row.update(text=json.dumps(event | {"digits": keys}))

    sent = []
    for row in messages:
        try:
            event = json.loads(row["text"])
        except (ValueError, RecursionError):
            continue  # it was refused in the call
        if isinstance(event, dict) and event.get("type") == DTMF:
            sent.append((str(event.get("digits")), message(row, event)))
    _mask(sent, scrubber)


def _mask(pressed: Sequence[tuple[str, Callable[[str], None]]], scrubber: Scrubber) -> None:
    masked = masked_keys("".join(keys for keys, _ in pressed), scrubber)
    at = 0
    for keys, replace in pressed:
        hidden = masked[at : at + len(keys)]
        at += len(keys)
        if hidden != keys:
            replace(hidden)


def masked_keys(keys: str, scrubber: Scrubber) -> str:
    """Return `keys` with every one that belongs to a sensitive value as a 0.

    >>> scrubber = Scrubber()
    >>> scrubber.taint("pin", "4711")
    >>> masked_keys("2*4711#", scrubber)
    '2*0000#'
    """
    apart = " ".join(keys)  # else a menu's key before a number would make one number with it
    found = list(keys)
    for start, end, _ in scrubber.spans(apart):
        for at in range(start, end):
            if apart[at].isalnum():
                found[at // 2] = HIDDEN
    return "".join(found)
