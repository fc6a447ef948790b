"""The book of effects: what was about to be done, what was done, and with which result.

Three facts make an effect happen once. An intent row is on disk (fsync) before the effect begins; a result row is
on disk before anybody hears the result; and both have the same semantic key: the call, the tool, its arguments in
one canonical spelling, and the confirmation they were given on. In place of the call stands a scope where an effect
must not be done twice across calls either: the customer whose return it is. So asked again, the book answers with
the recorded result. An intent that has no result is what a crash or a failure leaves behind: nobody knows then
whether the effect happened, so it is looked up where it would show, or said to be unknown. It is never simply run
again.

Rows hold the hash of the key, not the arguments: those may be what a caller is identified by. Results are kept as
the model got them. Rows of finished effects go after 30 days.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import threading
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from rtbridge.agents.tools import bounded, refused
from rtbridge.errors import Refused

KEPT_DAYS: Final = 400
MOST_IN_MEMORY: Final = 10_000  # rows of a book that no file bounds
PRUNED_EVERY: Final = 1_000  # intents
BUSY_S: Final = 2.0  # how long a write waits for another process's

BEFORE_INTENT: Final = "before_intent"
AFTER_INTENT: Final = "after_intent"
AFTER_ACT: Final = "after_act"
AFTER_RESULT: Final = "after_result"
POINTS: Final = (BEFORE_INTENT, AFTER_INTENT, AFTER_ACT, AFTER_RESULT)
"""Where a process can die; tests kill it there."""

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS effects (
    key TEXT PRIMARY KEY,
    call_id TEXT NOT NULL,
    tool TEXT NOT NULL,
    result TEXT,
    at INTEGER NOT NULL DEFAULT (strftime('%s', 'now'))
) WITHOUT ROWID
"""

log = structlog.get_logger("rtbridge.agents")


class Trace:
    """What a look-up says when it found no result: `NOT_DONE` is certain, `UNKNOWN` is not."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


NOT_DONE: Final = Trace("NOT_DONE")
UNKNOWN: Final = Trace("UNKNOWN")

LookUp = Callable[[], Awaitable[Any]]
"""Looks where the effect would show: returns its result, NOT_DONE or UNKNOWN."""


class EffectBook:
    """All effects of a process, in a file or in memory. Its writes are made in threads."""

    def __init__(self, path: str | Path = "", *, at: Callable[[str], None] = lambda _point: None) -> None:
        """`path` is a SQLite file, made when it is not there; empty keeps the book in memory. `at` is told POINTS."""
        self._path = str(path)
        self._at = at
        self._db: sqlite3.Connection | None = None
        self._intents = 0
        self._lock = threading.Lock()
        self._busy: dict[str, asyncio.Event] = {}

    async def once(
        self,
        *,
        call_id: str,
        tool: str,
        arguments: Any,
        act: Callable[[], Awaitable[Any]],
        confirmation: str = "",
        scope: str | None = None,
        look_up: LookUp | None = None,
    ) -> str:
        """Do `act` if it was never done for this key, and return its result as text for the model.

        Returns the recorded result when it was; `{"status": "unknown", ...}` when nobody can tell; an error when
        the intent could not be put on disk (then nothing was done). `act` raises Refused for what it has not begun:
        that passes, and the intent is taken back. `scope` names in whose name it is done once, across calls; without
        it that is the call.
        """
        key = semantic_key(call_id if scope is None else f"scope {scope}", tool, arguments, confirmation)
        while (other := self._busy.get(key)) is not None:  # the same effect is under way: wait for its result
            await other.wait()
        mine = self._busy[key] = asyncio.Event()
        try:
            return await self._once(key, call_id, tool, act, look_up)
        finally:
            del self._busy[key]
            mine.set()

    async def _once(
        self, key: str, call_id: str, tool: str, act: Callable[[], Awaitable[Any]], look_up: LookUp | None
    ) -> str:
        self._at(BEFORE_INTENT)
        try:
            known = await asyncio.to_thread(self._intend, key, call_id, tool)
        except (sqlite3.Error, OSError) as error:
            log.error("effect.not_recorded", tool=tool, error=str(error))
            return refused(
                f"{tool} was not done, because it could not be recorded. Tell the caller that it is not possible "
                "right now and that nothing was changed.",
                kind="not_recorded",
            )
        if known is not None and known[0] is not None:
            return str(known[0])
        if known is not None:
            trace = await self._look_up(tool, look_up)
            if trace is UNKNOWN:
                return _unknown(tool)
            if trace is not NOT_DONE:
                return await self._finish(key, tool, bounded(trace))
        self._at(AFTER_INTENT)
        try:
            result = bounded(await act())
        except Refused:
            await asyncio.to_thread(self._withdraw, key)
            raise
        except Exception as error:  # noqa: BLE001 - the border to code of the scenario, which may raise anything
            log.error("effect.failed", tool=tool, error=type(error).__name__)
            return _unknown(tool)
        self._at(AFTER_ACT)
        return await self._finish(key, tool, result)

    async def _look_up(self, tool: str, look_up: LookUp | None) -> Any:
        if look_up is None:
            return UNKNOWN
        try:
            return await look_up()
        except Exception as error:  # noqa: BLE001 - the border to code of the scenario, which may raise anything
            log.error("effect.not_looked_up", tool=tool, error=type(error).__name__)
            return UNKNOWN

    async def _finish(self, key: str, tool: str, result: str) -> str:
        try:
            await asyncio.to_thread(self._record, key, result)
        except (sqlite3.Error, OSError) as error:
            # It was done, but what is not on disk is not told: after a crash it could be denied again.
            log.error("effect.result_not_recorded", tool=tool, error=str(error))
            return _unknown(tool)
        self._at(AFTER_RESULT)
        return result

    async def close(self) -> None:
        """Close the file; the book opens it again when it is needed."""
        await asyncio.to_thread(self._close)

    # -- in threads ---------------------------------------------------------------------------------------
    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            db = sqlite3.connect(
                self._path or ":memory:", timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            try:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=FULL")  # a commit in WAL mode reaches the disk only then
                db.execute(_TABLE)
                self._prune(db)
            except sqlite3.Error:
                db.close()
                raise
            self._db = db
        return self._db

    def _prune(self, db: sqlite3.Connection) -> None:
        db.execute(
            "DELETE FROM effects WHERE result IS NOT NULL AND at < strftime('%s', 'now') - ?",
            (KEPT_DAYS * 86_400,),
        )
        if not self._path:
            db.execute(
                "DELETE FROM effects WHERE key IN (SELECT key FROM effects ORDER BY at DESC LIMIT -1 OFFSET ?)",
                (MOST_IN_MEMORY,),
            )

    def _intend(self, key: str, call_id: str, tool: str) -> tuple[str | None] | None:
        """Write the intent; return None when it is new, else (the recorded result or None,)."""
        with self._lock:
            added = self._open().execute(
                "INSERT INTO effects (key, call_id, tool) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING",
                (key, call_id, tool),
            )
            if added.rowcount:
                self._intents += 1
                if self._intents % PRUNED_EVERY == 0:
                    self._prune(self._open())
                return None
            row = self._open().execute("SELECT result FROM effects WHERE key = ?", (key,)).fetchone()
            return (row[0],)

    def _record(self, key: str, result: str) -> None:
        with self._lock:
            self._open().execute("UPDATE effects SET result = ? WHERE key = ?", (result, key))

    def _withdraw(self, key: str) -> None:
        with self._lock:
            self._open().execute("DELETE FROM effects WHERE key = ? AND result IS NULL", (key,))

    def _close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None


_books: dict[str, EffectBook] = {}


def book_at(path: str) -> EffectBook:
    """Return the process's book in the file `path`; for "" a new one in memory."""
    if not path:
        return EffectBook()
    return _books.setdefault(str(Path(path).resolve()), EffectBook(Path(path).resolve()))


def semantic_key(call_id: str, tool: str, arguments: Any, confirmation: str) -> str:
    """Return what is the same for the same effect, however it is spelt: 64 hex digits."""
    whole = json.dumps(
        [call_id, tool, canonical(arguments), confirmation], ensure_ascii=False, sort_keys=True
    )
    return hashlib.sha256(whole.encode(errors="surrogatepass")).hexdigest()


def canonical(value: Any) -> Any:
    """Return `value` in one spelling: order of keys, case, spaces, Unicode form and 1 against 1.0 do not matter."""
    if isinstance(value, str):
        return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    if isinstance(value, Mapping):
        return {str(key): canonical(one) for key, one in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [canonical(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _unknown(tool: str) -> str:
    return json.dumps(
        {
            "status": "unknown",
            "message": f"Whether {tool} took effect is not known. Tell the caller so; it will be looked into. Do not "
            "promise it, and do not say that it failed.",
        }
    )
