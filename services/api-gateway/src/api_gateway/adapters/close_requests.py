"""Operators' close requests: committed to the outbox together with their audit, then published."""

from api_gateway.application.ports import LedgerAway, Operator, TradeStatus
from api_gateway.domain.closing import close_request_id
from common.messages.contracts import CloseRequested
from common.messages.subjects import CLOSE_REQUESTED
from common.messaging.outbox import Outbox, OutboxMessage
from common.persistence.database import DATABASE_AWAY, Connection, Pool
from common.persistence.journal import Journal

DECISION = "close_requested"

_STATUS = """
SELECT id AS signal_id, symbol, status, close_reason, closed_at FROM watchlist.live_trade_signal WHERE id = $1
"""
_ASKED_BEFORE = "SELECT count(*) FROM watchlist.audit WHERE signal_id = $1 AND service = $2 AND decision = $3"


class PostgresCloseDesk:
    """`CloseDesk` over Postgres and the outbox."""

    def __init__(self, service: str, pool: Pool, outbox: Outbox, journal: Journal) -> None:
        self._service = service
        self._pool = pool
        self._outbox = outbox
        self._journal = journal

    async def status(self, signal_id: int) -> TradeStatus | None:
        """Where the trade stands; None of an unknown one."""
        try:
            row = await self._pool.fetchrow(_STATUS, signal_id)
        except DATABASE_AWAY as error:
            raise LedgerAway(str(error)) from error
        return None if row is None else TradeStatus.model_validate(dict(row))

    async def request(self, trade: TradeStatus, operator: Operator, why: str) -> str:
        """Commits one more request for this trade and hands it to the bus."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                message = await self._add(connection, trade, operator, why)
                evidence = operator.evidence() | {"why": why, "status": trade.status, "message_id": message.message_id}
                await self._journal.decided(
                    DECISION, evidence, symbol=trade.symbol, signal_id=trade.signal_id, connection=connection
                )
        except DATABASE_AWAY as error:
            raise LedgerAway(str(error)) from error
        self._outbox.submit([message])
        return message.message_id

    async def _add(self, connection: Connection, trade: TradeStatus, operator: Operator, why: str) -> OutboxMessage:
        """Adds the request under the first number that is free: two operators at once make two requests."""
        wish = CloseRequested(
            signal_id=trade.signal_id,
            reason="operator",
            requested_by=f"operator:{operator.who}",
            evidence=operator.evidence() | {"why": why, "status": trade.status},
        )
        number = 1 + await connection.fetchval(_ASKED_BEFORE, trade.signal_id, self._service, DECISION)
        while True:
            request_id = close_request_id(trade.signal_id, number)
            added = await self._outbox.add(connection, CLOSE_REQUESTED, request_id, wish)
            if added:
                return added[0]
            number += 1
