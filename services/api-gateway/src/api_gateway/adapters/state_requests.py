"""Operators' changes of the trading state: committed to the outbox together with their audit, then published."""

from api_gateway.application.ports import LedgerAway, Operator
from api_gateway.application.views import TradingState
from common.messages.contracts import TradingStateRequested
from common.messages.subjects import TRADING_STATE_REQUESTED
from common.messaging.outbox import Outbox
from common.persistence.database import DATABASE_AWAY, Pool
from common.persistence.journal import Journal

DECISION = "trading_state_requested"

_STATE = "SELECT state, reason, changed_by, changed_at FROM watchlist.trading_state WHERE id = 1"
_ASKED_BEFORE = "SELECT count(*) FROM watchlist.audit WHERE service = $1 AND decision = $2"


class PostgresStateDesk:
    """`StateDesk` over Postgres and the outbox."""

    def __init__(self, service: str, pool: Pool, outbox: Outbox, journal: Journal) -> None:
        self._service = service
        self._pool = pool
        self._outbox = outbox
        self._journal = journal

    async def current(self) -> TradingState:
        try:
            row = await self._pool.fetchrow(_STATE)
        except DATABASE_AWAY as error:
            raise LedgerAway(str(error)) from error
        assert row is not None, "the migration writes the one row"
        return TradingState(**row)

    async def request(self, state: str, operator: Operator, why: str) -> str:
        wish = TradingStateRequested.model_validate(
            {"state": state, "requested_by": f"operator:{operator.who}", "why": why}
        )
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                number = 1 + await connection.fetchval(_ASKED_BEFORE, self._service, DECISION)
                while not (added := await self._outbox.add(connection, TRADING_STATE_REQUESTED, _id(number), wish)):
                    number += 1
                evidence = operator.evidence() | {"state": state, "why": why, "message_id": _id(number)}
                await self._journal.decided(DECISION, evidence, connection=connection)
        except DATABASE_AWAY as error:
            raise LedgerAway(str(error)) from error
        self._outbox.submit(added)
        return _id(number)


def _id(number: int) -> str:
    return f"trading-state-operator-{number}"
