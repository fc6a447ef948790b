"""What a caller leg says: plain data that a session can take apart."""

from __future__ import annotations

import pytest

from rtbridge.core import leg


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (leg.LegUp(), ()),
        (leg.LegSuspended("no RTP"), ("no RTP",)),
        (leg.LegResumed(120), (120,)),
        (leg.LegMessage("{}"), ("{}",)),
        (leg.LegKey("#"), ("#",)),
        (leg.LegGone("bye"), ("bye",)),
    ],
)
def test_what_happens_to_a_leg_is_a_value_that_nobody_can_change(
    event: leg.LegEvent, fields: tuple[object, ...]
) -> None:
    match event:
        case leg.LegUp():
            taken: tuple[object, ...] = ()
        case leg.LegSuspended(reason) | leg.LegGone(reason):
            taken = (reason,)
        case leg.LegResumed(gap_ms):
            taken = (gap_ms,)
        case leg.LegMessage(text) | leg.LegKey(text):
            taken = (text,)
    assert taken == fields
    with pytest.raises((AttributeError, TypeError)):
        event.reason = "else"  # type: ignore[union-attr, misc]
