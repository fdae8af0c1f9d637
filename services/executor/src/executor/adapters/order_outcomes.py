"""What became of an order, stored in whichever table it stands."""

from datetime import datetime

from common.persistence.database import Pool
from executor.application.ports import Outcome
from executor.domain.order_machine import sources_of
from executor.domain.records import Order


def outcome_statement(table: str) -> str:
    """Stores an outcome in `table`, where the order machine knows the move; it never takes back what filled."""
    return f"""
UPDATE watchlist.{table}
SET status = $3, venue_order_id = coalesce($4, venue_order_id), filled_quantity = $5, average_price = $6,
    error = $7, resolved_at = $8, version = version + 1
WHERE id = $1 AND status = ANY($2) AND filled_quantity <= $5 RETURNING id
"""  # noqa: S608  tables of ours


async def store_outcome(pool: Pool, statement: str, order: Order, outcome: Outcome, now: datetime) -> bool:
    """See `OrderOutcomes.record_outcome`; `statement` is one of `outcome_statement`."""
    changed = await pool.fetchval(
        statement,
        order.id,
        sources_of(outcome.status),
        outcome.status.value,
        outcome.venue_order_id,
        outcome.filled_quantity,
        outcome.average_price,
        outcome.error,
        now,
    )
    return changed is not None
