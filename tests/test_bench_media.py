"""The bench of the media road: both bridges carry their calls, and every figure is there. The bars are accept.py's."""

from __future__ import annotations

import pytest

from rtbridge.bench.media import measured, summary

pytestmark = pytest.mark.wire


def test_a_call_of_each_bridge_is_echoed_and_every_figure_is_there() -> None:
    runs = measured(calls=1, seconds=3, repeat=1)
    assert [run.bridge for run in runs] == ["stock", "rtbridge"]
    assert all(run.echoes > 0 for run in runs)
    result = summary(runs)
    assert result["ratio"]["cpu"] > 0
    assert result["ratio"]["echo_p50"] > 0
