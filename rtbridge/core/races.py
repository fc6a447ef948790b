"""Error codes of races that the protocol cannot avoid: our view was one event old when we sent. They need no words."""

from __future__ import annotations

ALREADY_ACTIVE = "conversation_already_has_active_response"
BENIGN = frozenset(
    {
        ALREADY_ACTIVE,
        "response_cancel_not_active",
        "item_delete_invalid_item_id",
        "item_truncate_invalid_item_id",
        "item_truncate_invalid_audio_end_ms",
    }
)
