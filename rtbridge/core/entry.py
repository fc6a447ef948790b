"""Entry: what all events of a call have in common. The events themselves are in journal.py."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened in a call."""

    event: ClassVar[str]
    to_caller: ClassVar[bool] = False

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values, in order; `from_` is spelled `from`; None is left out."""
        pairs = ((f.name.rstrip("_"), getattr(self, f.name)) for f in fields(self))
        return {key: value for key, value in pairs if value is not None}
