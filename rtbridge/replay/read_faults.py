"""Reading the `[[fault]]` tables of a story, or of a file of nothing else: what goes wrong upstream, and when."""

from __future__ import annotations

from pathlib import Path

from rtbridge.engine.faults import EVENTS, MAX_FAULTS, BadFault, Fault, read_fault
from rtbridge.replay.tables import Table, read_toml, suggest


def load_faults(file: Path) -> tuple[Fault, ...]:
    """Read the `[[fault]]` tables of a file that holds nothing else. Raises StoryError as `load_story` does."""
    table = read_toml(file, "a file of faults")
    faults = read_faults(table)
    table.finish()
    table.problems.raise_if_any()
    return faults


def read_faults(top: Table) -> tuple[Fault, ...]:
    """Return the faults of a story; problems are noted in the tables."""
    tables = top.tables("fault", "a fault")
    if len(tables) > MAX_FAULTS:
        top.add("fault", f"{len(tables)} faults; at most {MAX_FAULTS} make a story")
    found: list[Fault] = []
    for table in tables:
        after, do = table.text("after"), table.text("do")
        for key in ("after", "do"):
            if key not in table:
                table.add(None, f"a fault has `{key}`")
        if after is not None and do is not None:
            try:
                found.append(read_fault(after, do))
            except BadFault as error:
                known = (
                    suggest(after.partition(":")[0], EVENTS, near_only=True) if error.key == "after" else ""
                )
                table.add(error.key, f"{error}{known}")
        table.finish()
    return tuple(found)
