"""Reads the executor's books, signal-ingest's events and the requests already made, all in one snapshot.

Nothing here writes. Every query names the active trades by id, so that its cost does not grow with history.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import asyncpg

from common.domain.identifiers import Leg, Purpose
from common.domain.position import LegFill
from common.domain.scale_in import FreshEvent
from common.persistence.database import DATABASE_AWAY, Connection, Pool
from position_monitor.application.ports import LedgerSnapshot, StoreAway
from position_monitor.domain.trade import Asked, FilledEntry, FundingReceived, Trade, VenueHolding

SERVICE = "position_monitor"

# The trades that are watched; the states are those of the index that allows one active trade a symbol.
_TRADES = """
SELECT id, symbol, status, long_venue, short_venue, opened_at, force_close_at, take_profit_pnl,
       close_requested_at, close_reason, traceparent
FROM watchlist.live_trade_signal WHERE status IN ('open', 'closing') ORDER BY id
"""
# Entries, whether one is being opened, and what they left over; a failed one may have left something too.
_ENTRIES = """
SELECT signal_id, entry, status, notional_usdt, entry_spread_metric, entry_spread_pct, filled_at,
       COALESCE(snapshot -> 'residual', snapshot -> 'failure' -> 'residual') AS residual
FROM watchlist.live_trade_entry WHERE signal_id = ANY($1) ORDER BY entry
"""
# Every order with what the venue's own ledger shows of it so far. An order that filled has an average price; should a
# venue owe it, the price it was sent at stands in until it is known, so that the quantity is never lost.
_ORDERS = """
SELECT orders.signal_id, leg, purpose, filled_quantity, COALESCE(average_price, reference_price) AS price,
       status IN ('intent', 'working', 'unknown') AS unresolved, COALESCE(resolved_at, intended_at) AS last_at,
       fills.quantity AS ledger_quantity, fills.fee_usdt, fills.fees_known
FROM watchlist.live_trade_order AS orders
LEFT JOIN LATERAL (
    SELECT sum(quantity) AS quantity, sum(fee_usdt) AS fee_usdt, bool_and(fee_usdt IS NOT NULL) AS fees_known
    FROM watchlist.live_trade_fill WHERE signal_id = orders.signal_id AND order_id = orders.id
) AS fills ON true
WHERE orders.signal_id = ANY($1) ORDER BY orders.id
"""
_FUNDING = """
SELECT signal_id, leg, amount_usdt, settled_at
FROM watchlist.live_trade_funding WHERE signal_id = ANY($1) ORDER BY settled_at
"""
_HOLDINGS = """
SELECT signals.id AS signal_id, held.venue, held.quantity, held.read_at
FROM watchlist.live_trade_signal AS signals
JOIN watchlist.live_trade_venue_position AS held
  ON held.symbol = signals.symbol AND held.venue IN (signals.long_venue, signals.short_venue)
WHERE signals.id = ANY($1)
"""
# The newest event of each trade's own pair. One that is still forming is no signal yet.
_EVENTS = """
SELECT signals.id AS signal_id, events.*
FROM watchlist.live_trade_signal AS signals
CROSS JOIN LATERAL (
    SELECT id, last_observed_at, pnl_hat, win_prob FROM watchlist.watch_signal_event
    WHERE symbol = signals.symbol AND long_venue = signals.long_venue AND short_venue = signals.short_venue
      AND type = 'B' AND status <> 'forming'
    ORDER BY last_observed_at DESC LIMIT 1
) AS events
WHERE signals.id = ANY($1)
"""
# What the executor was asked for since the last look, the newest last: written in the same transaction as the message.
_ASKED = """
SELECT audit.id, audit.signal_id, audit.evidence ->> 'topic' AS topic, audit.decided_at
FROM unnest($1::bigint[], $2::bigint[]) AS wanted (signal_id, after_id)
JOIN watchlist.audit ON audit.signal_id = wanted.signal_id AND audit.id > wanted.after_id
WHERE audit.service = $3 AND audit.decision IN ('close_requested', 'scale_in_requested')
ORDER BY audit.id
"""
_TRADING_STATE = "SELECT state FROM watchlist.trading_state WHERE id = 1"

Rows = dict[int, list[asyncpg.Record]]


class PostgresLedger:
    """The ledger over Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._requests = RequestsMade()

    async def snapshot(self) -> LedgerSnapshot:
        """See `Ledger.snapshot`."""
        try:
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                return await _read(connection, self._requests)
        except DATABASE_AWAY as error:
            raise StoreAway(f"{type(error).__name__}: {error}") from error


class RequestsMade:
    """How often the executor was asked for what, counted on from the last look: the audit only grows."""

    def __init__(self) -> None:
        self._asked: dict[int, dict[str, Asked]] = {}
        self._seen_id: dict[int, int] = {}

    async def read(self, connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Asked]]:
        """By trade and topic, for these trades; the others are forgotten."""
        after = [self._seen_id.get(signal_id, 0) for signal_id in ids]
        rows = await connection.fetch(_ASKED, ids, after, SERVICE)
        self._asked = {signal_id: dict(self._asked.get(signal_id, {})) for signal_id in ids}
        self._seen_id = dict(zip(ids, after, strict=True))
        for row in rows:
            asked = self._asked[row["signal_id"]]
            before = asked.get(row["topic"])
            asked[row["topic"]] = Asked(before.times + 1 if before else 1, row["decided_at"])
            self._seen_id[row["signal_id"]] = row["id"]
        return self._asked


async def _read(connection: Connection, requests: RequestsMade) -> LedgerSnapshot:
    state = await connection.fetchval(_TRADING_STATE)
    trades = await connection.fetch(_TRADES)
    ids = [row["id"] for row in trades]
    if not ids:
        return LedgerSnapshot((), state == "active")
    parts = {
        "entries": _by_trade(await connection.fetch(_ENTRIES, ids)),
        "orders": _by_trade(await connection.fetch(_ORDERS, ids)),
        "funding": _by_trade(await connection.fetch(_FUNDING, ids)),
        "holdings": _by_trade(await connection.fetch(_HOLDINGS, ids)),
        "events": _by_trade(await connection.fetch(_EVENTS, ids)),
    }
    asked = await requests.read(connection, ids)
    found = [_trade(row, {name: rows[row["id"]] for name, rows in parts.items()}, asked[row["id"]]) for row in trades]
    return LedgerSnapshot(found, state == "active")


def _by_trade(rows: Iterable[asyncpg.Record]) -> Rows:
    grouped: Rows = defaultdict(list)
    for row in rows:
        grouped[row["signal_id"]].append(row)
    return grouped


def _trade(row: asyncpg.Record, parts: dict[str, list[asyncpg.Record]], asked: Mapping[str, Asked]) -> Trade:
    entries, orders = parts["entries"], parts["orders"]
    venues = {Leg.LONG: row["long_venue"], Leg.SHORT: row["short_venue"]}
    return Trade(
        signal_id=row["id"],
        symbol=row["symbol"],
        status=row["status"],
        venues=venues,
        opened_at=row["opened_at"],
        force_close_at=row["force_close_at"],
        take_profit_pnl=row["take_profit_pnl"],
        close_requested_at=row["close_requested_at"],
        close_reason=row["close_reason"],
        entries=_filled_entries(entries),
        fills=tuple(_fill(order) for order in orders if order["filled_quantity"] > 0),
        fees_usdt=_fees_usdt(orders),
        funding=tuple(
            FundingReceived(Leg(paid["leg"]), paid["amount_usdt"], paid["settled_at"]) for paid in parts["funding"]
        ),
        order_in_flight=any(order["unresolved"] for order in orders) or any(e["status"] == "opening" for e in entries),
        last_order_at=max((order["last_at"] for order in orders), default=None),
        residuals={leg: _residual(entries, leg) for leg in Leg},
        holdings={
            leg: VenueHolding(held["quantity"], held["read_at"])
            for held in parts["holdings"]
            for leg, venue in venues.items()
            if venue == held["venue"]
        },
        newest_event=_event(parts["events"]),
        asked=dict(asked),
        traceparent=row["traceparent"],
    )


def _filled_entries(rows: Sequence[asyncpg.Record]) -> tuple[FilledEntry, ...]:
    """The filled entries, numbered by their rank: the stored number also counts attempts that failed."""
    filled = [row for row in rows if row["status"] == "filled"]
    return tuple(
        FilledEntry(k, row["notional_usdt"], row["entry_spread_metric"], row["entry_spread_pct"], row["filled_at"])
        for k, row in enumerate(filled, start=1)
    )


def _residual(rows: Sequence[asyncpg.Record], leg: Leg) -> Decimal:
    left = [row["residual"].get(leg.value) for row in rows if row["residual"]]
    return sum((Decimal(quantity) for quantity in left if quantity is not None), Decimal(0))


def _fill(row: asyncpg.Record) -> LegFill:
    return LegFill(Leg(row["leg"]), Purpose(row["purpose"]), row["filled_quantity"], row["price"])


def _fees_usdt(orders: Sequence[asyncpg.Record]) -> Decimal | None:
    """The sum of fees, or None while a filled order is not wholly in the venue's ledger with every fee."""
    filled = [order for order in orders if order["filled_quantity"] > 0]
    if any(order["ledger_quantity"] != order["filled_quantity"] or not order["fees_known"] for order in filled):
        return None
    return sum((order["fee_usdt"] for order in filled), Decimal(0))


def _event(rows: Sequence[asyncpg.Record]) -> FreshEvent | None:
    if not rows:
        return None
    row = rows[0]
    return FreshEvent(row["id"], row["last_observed_at"], row["pnl_hat"], row["win_prob"])
