"""The accounts of paper trading as `GET /control/ledger` of a simulated venue would show them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from common.domain.identifiers import unspelled
from executor.settings import ExecutorSettings

Row = dict[str, Any]

PAPER_BOOKS: Mapping[str, str] = {
    "accounts": "SELECT venue, balance_usdt FROM paper.account ORDER BY venue",
    "orders": 'SELECT * FROM paper."order" ORDER BY id',
    "fills": """
        SELECT fill.*, placed.client_order_id FROM paper.fill AS fill
        JOIN paper."order" AS placed ON placed.id = fill.order_id ORDER BY fill.id
    """,
    "positions": "SELECT venue, symbol, quantity FROM paper.position WHERE quantity <> 0",
    "funding": "SELECT * FROM paper.funding ORDER BY id",
}
"""What to read of the database, by table."""
OPENING_BALANCE_USDT: Decimal = ExecutorSettings.model_fields["executor_paper_balance_usdt"].default


def paper_ledgers(books: Mapping[str, Sequence[Row]]) -> list[Row]:
    """One ledger a venue, from the rows of `PAPER_BOOKS`."""
    of_venue: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for table, rows in books.items():
        for row in rows:
            of_venue[row["venue"]][table].append(row)
    return [_ledger(account, of_venue[account["venue"]]) for account in books["accounts"]]


def _ledger(account: Row, books: Mapping[str, Sequence[Row]]) -> Row:
    fills, funding = books["fills"], books["funding"]
    return {
        "venue": account["venue"],
        "initial_balance_usdt": OPENING_BALANCE_USDT,
        "balance_usdt": account["balance_usdt"],
        "fees_usdt": sum((fill["fee_usdt"] for fill in fills), Decimal(0)),
        "funding_usdt": sum((payment["amount_usdt"] for payment in funding), Decimal(0)),
        "orders": [_order(order) for order in books["orders"]],
        "fills": [_fill(fill) for fill in fills],
        "positions": [dict(position) for position in books["positions"]],
        "funding_payments": [{**payment, "payment_id": str(payment["id"])} for payment in funding],
    }


def _order(order: Row) -> Row:
    return {
        "client_order_id": unspelled(order["client_order_id"]),
        "venue_order_id": str(order["id"]),
        "symbol": order["symbol"],
        "side": order["side"],
        "filled_quantity": order["filled_quantity"],
        "quote_usdt": order["filled_quantity"] * (order["average_price"] or Decimal(0)),
        "reduce_only": order["reduce_only"],
    }


def _fill(fill: Row) -> Row:
    return {
        "fill_id": str(fill["id"]),
        "venue_order_id": str(fill["order_id"]),
        "client_order_id": unspelled(fill["client_order_id"]),
        "symbol": fill["symbol"],
        "side": fill["side"],
        "price": fill["price"],
        "quantity": fill["quantity"],
        "fee": fill["fee_usdt"],
    }
