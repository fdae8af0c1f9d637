"""PostgreSQL in memory, as far as the services use it, so that their own adapters run in a simulation.

What is promised: READ COMMITTED (or one snapshot, where a transaction asks for it), row locks and unique keys that
make the second transaction wait for the first, rollback of whatever did not commit, and a connection that may break
at any statement, COMMIT included, without saying whether it took effect. Statements are not parsed: each text that the
adapters send stands for one function (`Statements`), and one that nobody wrote a function for is an error.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

import asyncpg

Row = dict[str, Any]
"""Never changed once it is stored: a new version is a new dict."""

Table = dict[int, Row]
LockName = tuple[Any, ...]
UniqueKey = Callable[[Row], tuple[Any, ...] | None]
Statement = Callable[..., "list[Row]"]
Statements = Mapping[str, Statement]

LOCK_WAIT_SECONDS_MAX = 10.0
"""The pool's `command_timeout`: a statement that waits longer for a lock is given up."""


class MustWait(Exception):
    """A lock is held by another transaction."""

    def __init__(self, name: LockName) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True)
class Schema:
    """Names of the tables, and their unique keys: by table, then by the constraint's name."""

    tables: Sequence[str]
    unique: Mapping[str, Mapping[str, UniqueKey]]
    defaults: Mapping[str, Row]


@dataclass(eq=False)
class Transaction:
    """What one transaction sees and has written. Writes stay here until the commit."""

    server: "MemoryPostgres"
    snapshot: dict[str, Table] | None = None
    written: dict[str, Table] = field(default_factory=dict)
    locks: dict[LockName, None] = field(default_factory=dict)
    is_over: bool = False

    def row(self, table: str, id_: int | None) -> Row | None:
        """The row as this transaction sees it."""
        if id_ is None:
            return None
        mine = self.written.get(table, {}).get(id_)
        return mine or self._stored(table).get(id_)

    def rows(self, table: str) -> Iterable[Row]:
        """All rows as this transaction sees them, by id."""
        mine = self.written.get(table)
        stored = self._stored(table)
        if not mine:
            return stored.values()
        merged = {**stored, **mine}
        return [merged[id_] for id_ in sorted(merged)]

    def having(self, table: str, **values: Any) -> Iterator[Row]:
        """Rows whose columns have these values, by id."""
        wanted = tuple(values.items())
        return (row for row in self.rows(table) if all(row[name] == value for name, value in wanted))

    def lock(self, *name: Any) -> None:
        """Holds a lock until the end.

        Raises:
            MustWait: another transaction holds it; the statement is run anew when it is free.
        """
        holder = self.server.locks.setdefault(name, self)
        if holder is not self:
            raise MustWait(name)
        self.locks[name] = None

    def update(self, table: str, row: Row, **values: Any) -> Row:
        """A new version of a row. The row must be locked and looked at first, see `locked`."""
        changed = {**row, **values}
        self._keep_unique(table, changed, row)
        self.written.setdefault(table, {})[changed["id"]] = changed
        return changed

    def locked(self, table: str, id_: int) -> Row | None:
        """The row, locked, as it stands now."""
        self.lock("row", table, id_)
        return self.row(table, id_)

    def insert(self, table: str, **values: Any) -> Row:
        """A new row with the next id.

        Raises:
            asyncpg.UniqueViolationError: another row has one of its keys.
        """
        row = {"id": self.server.next_id(table), **self.server.schema.defaults.get(table, {}), **values}
        self._keep_unique(table, row, None)
        self.written.setdefault(table, {})[row["id"]] = row
        return row

    def conflicting(self, table: str, values: Row) -> Row | None:
        """The row that has one of the keys that `values` would have, for ON CONFLICT."""
        for name, key in self.server.schema.unique.get(table, {}).items():
            wanted = key(values)
            if wanted is not None:
                self.lock("key", name, wanted)
                found = self._holder(table, name, wanted)
                if found is not None:
                    return found
        return None

    def _keep_unique(self, table: str, row: Row, before: Row | None) -> None:
        for name, key in self.server.schema.unique.get(table, {}).items():
            wanted = key(row)
            if wanted is None or (before is not None and key(before) == wanted):
                continue
            self.lock("key", name, wanted)
            found = self._holder(table, name, wanted)
            if found is not None and found["id"] != row["id"]:
                error = asyncpg.UniqueViolationError(f"{name}: {wanted} is there already")
                error.constraint_name = name
                raise error

    def _holder(self, table: str, name: str, wanted: tuple[Any, ...]) -> Row | None:
        key = self.server.schema.unique[table][name]
        for row in self.written.get(table, {}).values():
            if key(row) == wanted:
                return row
        stored = self.server.keys[name].get(wanted)
        if stored is None or stored in self.written.get(table, {}):
            return None
        return self.server.tables[table][stored]

    def _stored(self, table: str) -> Table:
        return self.server.tables[table] if self.snapshot is None else self.snapshot[table]


@dataclass(eq=False)
class _Waiting:
    """One statement that waits for a lock."""

    run: Callable[[], None]
    give_up: asyncio.TimerHandle


class MemoryPostgres:
    """The server. Everything here happens in the moment in which it is called."""

    def __init__(self, loop: asyncio.AbstractEventLoop, schema: Schema, statements: Statements) -> None:
        self.schema = schema
        self.tables: dict[str, Table] = {name: {} for name in schema.tables}
        self.keys: dict[str, dict[tuple[Any, ...], int]] = {
            name: {} for unique in schema.unique.values() for name in unique
        }
        self.locks: dict[LockName, Transaction] = {}
        self.committed: list[Callable[[Mapping[str, Table]], None]] = []
        """Told of every commit that wrote something, right after it."""
        self._loop = loop
        self._statements = statements
        self._ids: dict[str, int] = dict.fromkeys(schema.tables, 0)
        self._waiting: dict[LockName, list[_Waiting]] = {}
        self._outside = copy_context()

    def next_id(self, table: str) -> int:
        """Draws from the table's sequence."""
        self._ids[table] += 1
        return self._ids[table]

    def begin(self, *, isolation: str | None = None) -> Transaction:
        """A transaction; `repeatable_read` sees one moment throughout."""
        snapshot = {name: dict(rows) for name, rows in self.tables.items()} if isolation == "repeatable_read" else None
        return Transaction(self, snapshot)

    def known(self, statement: str) -> Statement:
        """The function that stands for a statement.

        Raises:
            LookupError: nobody wrote one.
        """
        try:
            return self._statements[statement]
        except KeyError:
            raise LookupError(f"the memory database does not know this statement: {statement.strip()}") from None

    def run(
        self,
        transaction: Transaction,
        work: Callable[[Transaction], Any],
        done: Callable[[Any], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Runs one statement, now or when its locks are free; a statement that fails has written nothing."""
        if transaction.is_over:
            failed(asyncpg.InterfaceError("the transaction is over"))
            return
        before = {table: dict(rows) for table, rows in transaction.written.items()}
        try:
            answer = work(transaction)
        except MustWait as wait:
            transaction.written = before
            self._wait(wait.name, lambda: self.run(transaction, work, done, failed), failed)
        except (asyncpg.PostgresError, LookupError) as error:
            transaction.written = before
            failed(error)
        else:
            done(answer)

    def now_seconds(self) -> float:
        """What `clock_timestamp()` says, in seconds since some moment."""
        return self._loop.time()

    def commit(self, transaction: Transaction) -> None:
        """Makes everything that the transaction wrote visible at once."""
        if transaction.is_over:
            return
        for table, rows in transaction.written.items():
            stored = self.tables[table]
            for id_, row in rows.items():
                self._index(table, stored.get(id_), row)
                stored[id_] = row
        self._end(transaction)
        if transaction.written:
            for told in self.committed:
                told(transaction.written)

    def roll_back(self, transaction: Transaction) -> None:
        """Forgets what the transaction wrote."""
        if not transaction.is_over:
            self._end(transaction)

    def _index(self, table: str, before: Row | None, after: Row) -> None:
        for name, key in self.schema.unique.get(table, {}).items():
            old, new = key(before) if before else None, key(after)
            if old != new:
                if old is not None and self.keys[name].get(old) == after["id"]:
                    del self.keys[name][old]
                if new is not None:
                    self.keys[name][new] = after["id"]

    def _end(self, transaction: Transaction) -> None:
        transaction.is_over = True
        for name in transaction.locks:
            del self.locks[name]
            for waiting in self._waiting.pop(name, []):
                waiting.give_up.cancel()
                self._loop.call_soon(waiting.run, context=self._outside)

    def _wait(self, name: LockName, run: Callable[[], None], failed: Callable[[BaseException], None]) -> None:
        def give_up() -> None:
            self._waiting[name].remove(waiting)
            failed(TimeoutError(f"waited {LOCK_WAIT_SECONDS_MAX} s for {name}"))

        timer = self._loop.call_later(LOCK_WAIT_SECONDS_MAX, give_up, context=self._outside)
        waiting = _Waiting(run, timer)
        self._waiting.setdefault(name, []).append(waiting)
