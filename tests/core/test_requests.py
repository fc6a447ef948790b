"""What is asked for, merged and bounded."""

from __future__ import annotations

from rtbridge.core.requests import merged


def test_sessions_merge_mapping_by_mapping_but_a_turn_detection_replaces_another() -> None:
    base = {
        "a": 1,
        "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.5}}, "output": {"v": 1}},
    }
    over = {"b": {"c": 2}, "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}
    assert merged(base, over) == {
        "a": 1,
        "b": {"c": 2},
        "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}, "output": {"v": 1}},
    }
