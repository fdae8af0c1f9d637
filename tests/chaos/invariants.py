"""What must hold whatever was killed, read from the venues' own ledgers and the database.

(a) a venue holds what the ledger says, both legs of it, and nothing of a trade that is over
(b) a client order id takes effect once, and never without its committed intent
(c) a symbol has one active trade
(d) entries and notional stay within their limits, at the venue
(f) every fill, fee and payment of a venue is booked, and P&L agrees to the last digit
(g) every event has its verdict
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from decimal import Decimal
from typing import Any

from chaos.house import House
from chaos.market import MAX_ENTRIES, PER_LEG_USDT
from local_stack.reconciliation import VenueLedger, differences

Row = dict[str, Any]

ORDERS = """
SELECT o.signal_id, o.symbol, o.venue, o.side, o.purpose, o.client_order_id, o.filled_quantity, o.intended_at,
       s.status AS trade_status
FROM watchlist.live_trade_order o JOIN watchlist.live_trade_signal s ON s.id = o.signal_id ORDER BY o.id
"""
_TWICE_ACTIVE = """
SELECT symbol FROM watchlist.live_trade_signal WHERE status IN ('opening', 'open', 'closing')
GROUP BY symbol HAVING count(*) > 1
"""
_LIVES = """
SELECT symbol, id, opened_at, coalesce(closed_at, 'infinity') AS closed_at FROM watchlist.live_trade_signal
WHERE opened_at IS NOT NULL ORDER BY symbol, opened_at
"""
_NO_VERDICT = """
SELECT e.id, e.symbol FROM watchlist.watch_signal_event e
LEFT JOIN watchlist.live_trade_signal s ON s.event_id = e.id
WHERE e.status <> 'forming' AND (s.id IS NULL OR s.status = 'new')
"""
_TRADES = "SELECT id FROM watchlist.live_trade_signal ORDER BY id"

NOTIONAL_SLACK = Decimal("1.05")
"""An entry is sized at the swept price of the short leg; the other one, and the fills, lie a little beside it."""


async def violations(house: House) -> list[str]:
    """A sentence for each that is broken, with its letter; all trades must be at rest."""
    ledgers, orders = await house.ledgers(), await house.rows(ORDERS)
    found = [*positions(ledgers, orders), *effects(ledgers, orders), *limits(ledgers, orders)]
    found += [f"(c) {row['symbol']} has two active trades" for row in await house.rows(_TWICE_ACTIVE)]
    found += overlaps(await house.rows(_LIVES))
    found += [f"(g) event {row['id']} of {row['symbol']} has no verdict" for row in await house.rows(_NO_VERDICT)]
    return found


async def accounts(house: House) -> list[str]:
    """(f), once every trade is over and final."""
    trades = [await house.running.trade(row["id"]) for row in await house.rows(_TRADES)]
    ours = {order.client_order_id for trade in trades for order in trade.orders}
    ledgers = [VenueLedger.model_validate(as_booked(ledger, ours)) for ledger in await house.ledgers()]
    return [f"(f) {found}" for found in differences(trades, ledgers)]


def as_booked(ledger: Row, ours: Container[str]) -> Row:
    """The ledger with the executions of others under the names that Tandem books them under."""
    fills = [
        fill if fill["client_order_id"] in ours else {**fill, "client_order_id": _external(ledger["venue"], fill)}
        for fill in ledger["fills"]
    ]
    return {**ledger, "fills": fills}


def _external(venue: str, fill: Row) -> str:
    return f"external-{venue}-{fill['symbol']}-{fill['fill_id']}"


def positions(ledgers: Sequence[Row], orders: Sequence[Row]) -> list[str]:
    """(a) by symbol and venue, by trade that is over, and across the legs."""
    booked: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    left: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for order in orders:
        signed = _signed(order["side"], order["filled_quantity"])
        booked[order["venue"], order["symbol"]] += signed
        if order["trade_status"] in ("closed", "failed"):
            left[order["venue"], order["signal_id"]] += signed
    held = {(ledger["venue"], row["symbol"]): Decimal(row["quantity"]) for ledger in ledgers for row in _held(ledger)}
    found = [
        f"(a) {venue} holds {held.get((venue, symbol), Decimal(0)):f} {symbol}, the ledger {booked[venue, symbol]:f}"
        for venue, symbol in sorted({*booked, *held})
        if held.get((venue, symbol), Decimal(0)) != booked[venue, symbol]
    ]
    found += [
        f"(a) trade {trade} is over and has {left[venue, trade]:f} on {venue}"
        for venue, trade in left
        if left[venue, trade]
    ]
    for symbol in sorted({symbol for _, symbol in held}):
        net = sum((quantity for (_, name), quantity in held.items() if name == symbol), Decimal(0))
        if net:
            found.append(f"(a) {symbol} stands on one leg: {net:f} more on one venue than on the other")
    return found


def effects(ledgers: Sequence[Row], orders: Sequence[Row]) -> list[str]:
    """(b)."""
    intended = {order["client_order_id"]: order for order in orders}
    found = []
    for ledger in ledgers:
        taken = Counter(order["client_order_id"] for order in ledger["orders"])
        found += [f"(b) {ledger['venue']} took {name} {times} times" for name, times in taken.items() if times > 1]
        for order in ledger["orders"]:
            intent = intended.get(order["client_order_id"])
            if intent is None and _is_booked_as_external(ledger, order, intended):
                continue
            if intent is None:
                found.append(f"(b) {ledger['venue']} took {order['client_order_id']}, which nobody intended")
            elif Decimal(order["filled_quantity"]) != intent["filled_quantity"]:
                filled = f"{order['filled_quantity']}, the ledger has {intent['filled_quantity']}"
                found.append(f"(b) {ledger['venue']} filled {order['client_order_id']} with {filled}")
    return found


def _is_booked_as_external(ledger: Row, order: Row, intended: Container[str]) -> bool:
    """Whether somebody else's order is in our books, fill by fill, under the venue's own ids."""
    fills = [fill for fill in ledger["fills"] if fill["venue_order_id"] == order["venue_order_id"]]
    return bool(fills) and all(_external(ledger["venue"], fill) in intended for fill in fills)


def overlaps(lives: Iterable[Row]) -> list[str]:
    """(c) over time: a trade of a symbol begins when the one before it has ended."""
    found, last = [], None
    for life in lives:
        if last is not None and last["symbol"] == life["symbol"] and life["opened_at"] < last["closed_at"]:
            found.append(f"(c) trades {last['id']} and {life['id']} of {life['symbol']} were open at once")
        last = life
    return found


def limits(ledgers: Sequence[Row], orders: Sequence[Row]) -> list[str]:
    """(d): what a trade had on one leg at its most, by the venue's own orders."""
    trade_of = {order["client_order_id"]: order["signal_id"] for order in orders}
    cap = MAX_ENTRIES * PER_LEG_USDT * NOTIONAL_SLACK
    found = []
    for ledger in ledgers:
        held: dict[int, Decimal] = defaultdict(Decimal)
        for order in ledger["orders"]:
            trade = trade_of.get(order["client_order_id"])
            if trade is None:
                continue
            quote = Decimal(order["quote_usdt"])
            held[trade] += -quote if order["reduce_only"] else quote
            if held[trade] > cap:
                found.append(f"(d) trade {trade} reached {held[trade]:f} USDT on {ledger['venue']}: the cap is {cap:f}")
    return found


def _held(ledger: Row) -> Iterable[Row]:
    rows: Iterable[Row] = ledger["positions"]
    return rows


def _signed(side: str, quantity: Decimal) -> Decimal:
    return quantity if side == "buy" else -quantity
