"""What must hold whatever was killed, read from the venues' own ledgers and the database.

(a) a venue holds what the ledger says, both legs of it, and nothing of a trade that is over
(b) a client order id takes effect once, and never without its committed intent
(c) a symbol has one active trade
(d) entries and notional stay within their limits, at the venue
(f) every fill, fee and payment of a venue is booked, and P&L agrees to the last digit
(g) every event has its verdict
(h) trading is in the state that was asked for last, and each change of it was made and told once
(i) what a message says that nobody can read is kept by each who heard it
(j) what somebody had to be told of was sent to him
(k) what is traded on paper reaches no venue

An order is a trade's or a flatten's; what somebody opened by hand is taken for booked, once, because no trade holds it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from chaos.house import House
from chaos.market import MAX_ENTRIES, PER_LEG_USDT
from local_stack.reconciliation import VenueLedger, differences

Row = dict[str, Any]

_ORDERS = """
SELECT o.signal_id, o.symbol, o.venue, o.side, o.client_order_id, o.filled_quantity, s.status AS trade_status
FROM watchlist.live_trade_order o JOIN watchlist.live_trade_signal s ON s.id = o.signal_id
UNION ALL
SELECT NULL, f.symbol, f.venue, f.side, f.client_order_id, f.filled_quantity, NULL
FROM watchlist.operator_flatten_order f ORDER BY client_order_id
"""
_FLATTEN_ORDERS = "SELECT client_order_id FROM watchlist.operator_flatten_order"
_FLATTEN_FILLS = """
SELECT f.venue, o.client_order_id, f.fill_id, f.side, f.price, f.quantity, f.fee_usdt AS fee
FROM watchlist.operator_flatten_fill f JOIN watchlist.operator_flatten_order o ON o.id = f.order_id
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
_AUDITED_STATES = "SELECT evidence ->> 'state' AS state FROM watchlist.audit WHERE decision = $1 ORDER BY id"
_TOLD_STATES = """
SELECT detail ->> 'state' AS state FROM watchlist.live_trade_error WHERE kind = 'trading_state_changed' ORDER BY id
"""
_STATE = "SELECT state FROM watchlist.trading_state"
_QUARANTINED = """
SELECT service, evidence ->> 'body' AS body FROM watchlist.audit WHERE decision = 'message_quarantined'
"""
_ALERTS = """
SELECT title, state = 'delivered' AS delivered, state = 'given_up' AS given_up FROM watchlist.alert ORDER BY id
"""

NOTIONAL_SLACK = Decimal("1.05")
"""An entry is sized at the swept price of the short leg; the other one, and the fills, lie a little beside it."""


async def violations(house: House) -> list[str]:
    """A sentence for each that is broken, with its letter; all trades must be at rest."""
    ledgers, orders = await house.ledgers(), await all_orders(house)
    found = [*positions(ledgers, orders), *effects(ledgers, orders), *limits(ledgers, orders)]
    found += [f"(c) {row['symbol']} has two active trades" for row in await house.rows(_TWICE_ACTIVE)]
    found += overlaps(await house.rows(_LIVES))
    found += [f"(g) event {row['id']} of {row['symbol']} has no verdict" for row in await house.rows(_NO_VERDICT)]
    asked = [row["state"] for row in await house.rows(_AUDITED_STATES, "trading_state_requested")]
    changed = [row["state"] for row in await house.rows(_AUDITED_STATES, "trading_state_changed")]
    told = [row["state"] for row in await house.rows(_TOLD_STATES)]
    return found + states(asked, changed, told, await house.value(_STATE))


async def said(house: House) -> list[str]:
    """(i), (j) and (k)."""
    found = [f"(i) {row['status']}: {row['symbol']}" for row in await unread(house)]
    if house.told is not None:
        alerts = await house.rows(_ALERTS)
        found += [f"(j) nobody was told any more of {alert['title']!r}" for alert in alerts if alert["given_up"]]
        found += unheard([alert["title"] for alert in alerts if alert["delivered"]], house.told.got)
    if house.is_on_paper:
        real = {ledger["venue"]: len(ledger["orders"]) for ledger in await house.venue_ledgers()}
        found += [f"(k) {venue} took {count} orders of paper accounts" for venue, count in real.items() if count]
    return found


async def unread(house: House) -> list[Row]:
    """Messages that nobody can read and that somebody who got one has not put aside, as rows of what is unfinished."""
    kept = [(row["service"], row["body"]) for row in await house.rows(_QUARANTINED)]
    return [
        {"symbol": about, "id": service, "status": "a message that was not quarantined"}
        for service, about in house.unreadable
        if not any(service == by and about in body for by, body in kept)
    ]


def unheard(delivered: Sequence[str], got: Sequence[Row]) -> list[str]:
    """(j): titles of alerts that are said to be delivered, and are in no message.

    A message of many alerts names the first ones, and how many more there are.
    """
    texts = [f"{message['title']}\n{message['message']}" for message in got]
    unnamed = sum(int(number) for text in texts for number in re.findall(r"^and (\d+) more$", text, re.MULTILINE))
    missing = [title for title in delivered if not any(title in text for text in texts)]
    if len(missing) <= unnamed:
        return []
    return [f"(j) {len(missing)} alerts were delivered to nobody, and {unnamed} not named: {'; '.join(missing)}"]


async def all_orders(house: House) -> list[Row]:
    """What is in the books, and what was opened by hand."""
    return [*await house.rows(_ORDERS), *house.by_hand]


async def accounts(house: House) -> list[str]:
    """(f), once every trade is over and final."""
    trades = [await house.running.trade(row["id"]) for row in await house.rows(_TRADES)]
    ours = {order.client_order_id for trade in trades for order in trade.orders}
    flattening = {row["client_order_id"] for row in await house.rows(_FLATTEN_ORDERS)}
    ledgers = await house.ledgers()
    found = flattened(ledgers, flattening, await house.rows(_FLATTEN_FILLS))
    of_no_trade = flattening | {order["client_order_id"] for order in house.by_hand}
    of_trades = [as_booked(without(ledger, of_no_trade), ours) for ledger in ledgers]
    compared = differences(trades, [VenueLedger.model_validate(ledger) for ledger in of_trades])
    return found + [f"(f) {difference}" for difference in compared]


def without(ledger: Row, orders: Container[str]) -> Row:
    """The ledger as if these orders had never been: they belong to no trade's account."""
    of_no_trade = [fill for fill in ledger["fills"] if fill["client_order_id"] in orders]
    earned = sum((Decimal(fill["realised_pnl_usdt"]) - Decimal(fill["fee"]) for fill in of_no_trade), Decimal(0))
    fills = [fill for fill in ledger["fills"] if fill not in of_no_trade]
    return {**ledger, "fills": fills, "balance_usdt": Decimal(ledger["balance_usdt"]) - earned}


def flattened(ledgers: Sequence[Row], orders: Container[str], booked: Sequence[Row]) -> list[str]:
    """(f) of what no trade held: every fill of these orders, with its fee."""
    theirs = {
        (ledger["venue"], fill["client_order_id"], fill["fill_id"]): _figures(fill)
        for ledger in ledgers
        for fill in ledger["fills"]
        if fill["client_order_id"] in orders
    }
    ours = {(fill["venue"], fill["client_order_id"], fill["fill_id"]): _figures(fill) for fill in booked}
    return [
        f"(f) fill {' '.join(key)} of a flatten: Tandem has {ours.get(key)}, the venue {theirs.get(key)}"
        for key in sorted({*theirs, *ours})
        if theirs.get(key) != ours.get(key)
    ]


def _figures(fill: Row) -> tuple[Any, ...]:
    fee = fill["fee"]
    return fill["side"], Decimal(fill["price"]), Decimal(fill["quantity"]), None if fee is None else Decimal(fee)


def states(asked: Sequence[str], changed: Sequence[str], told: Sequence[str], now: str) -> list[str]:
    """(h), each in the order of its commits. Who asks for the state that is there already changes nothing."""
    wanted = [state for before, state in pairwise(["active", *asked]) if state != before]
    found = []
    if list(changed) != wanted:
        found.append(f"(h) trading was asked to be {wanted}, and changed to {list(changed)}")
    if list(told) != list(changed):
        found.append(f"(h) trading changed to {list(changed)}, and the operators were told {list(told)}")
    if now != ["active", *wanted][-1]:
        found.append(f"(h) trading is {now}, and was asked to be {['active', *wanted][-1]}")
    return found


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
        # What somebody does by hand has no name, and may be done more than once.
        taken = Counter(order["client_order_id"] for order in ledger["orders"] if order["client_order_id"])
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
