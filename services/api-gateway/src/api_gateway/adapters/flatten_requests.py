"""Operators' wishes to flatten a position: committed to the outbox together with their audit, then published."""

from api_gateway.application.flatten import FlattenStatus
from api_gateway.application.ports import LedgerAway, Operator
from common.messages.contracts import FlattenRequested
from common.messages.subjects import FLATTEN_REQUESTED
from common.messaging.outbox import Outbox, OutboxMessage
from common.persistence.database import DATABASE_AWAY, Pool
from common.persistence.journal import Journal

DECISION = "flatten_requested"

_ASKED_BEFORE = "SELECT count(*) FROM watchlist.audit WHERE service = $1 AND decision = $2"
# The audit is kept for a time and flattens for ever: a number that comes again must not find what became of an old one.
_TAKEN_UP_BEFORE = "SELECT EXISTS (SELECT FROM watchlist.operator_flatten WHERE request_id = $1)"
_STATUS = "SELECT state, evidence, updated_at FROM watchlist.operator_flatten WHERE request_id = $1"
_FILLS = """
SELECT placed.client_order_id, fill.fill_id, fill.side, fill.price, fill.quantity, fill.fee_usdt, fill.traded_at
FROM watchlist.operator_flatten_order AS placed
JOIN watchlist.operator_flatten_fill AS fill ON fill.order_id = placed.id
WHERE placed.request_id = $1 ORDER BY fill.id
"""


class PostgresFlattenDesk:
    """`FlattenDesk` over Postgres and the outbox."""

    def __init__(self, service: str, pool: Pool, outbox: Outbox, journal: Journal) -> None:
        self._service = service
        self._pool = pool
        self._outbox = outbox
        self._journal = journal

    async def request(self, venue: str, symbol: str, operator: Operator, why: str, *, include_unowned: bool) -> str:
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                number = 1 + await connection.fetchval(_ASKED_BEFORE, self._service, DECISION)
                added: list[OutboxMessage] = []
                while not added:
                    wish = FlattenRequested(
                        request_id=f"flatten-{venue}-{symbol}-{number}",
                        venue=venue,
                        symbol=symbol,
                        include_unowned=include_unowned,
                        requested_by=f"operator:{operator.who}",
                        why=why,
                    )
                    if not await connection.fetchval(_TAKEN_UP_BEFORE, wish.request_id):
                        added = await self._outbox.add(connection, FLATTEN_REQUESTED, wish.request_id, wish)
                    number += 1
                evidence = operator.evidence() | wish.model_dump(include={"request_id", "venue", "include_unowned"})
                await self._journal.decided(DECISION, evidence | {"why": why}, symbol=symbol, connection=connection)
        except DATABASE_AWAY as error:
            raise LedgerAway(str(error)) from error
        self._outbox.submit(added)
        return wish.request_id

    async def status(self, request_id: str) -> FlattenStatus:
        try:
            row = await self._pool.fetchrow(_STATUS, request_id)
            fills = await self._pool.fetch(_FILLS, request_id)
        except DATABASE_AWAY as error:
            raise LedgerAway(str(error)) from error
        if row is None:
            return FlattenStatus(state="asked", evidence={}, updated_at=None)
        return FlattenStatus.model_validate({**row, "fills": [dict(fill) for fill in fills]})
