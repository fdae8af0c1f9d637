"""What must hold in every run, checked against the venues' own ledgers: at every step where that is cheap, and at rest.

The names (a) to (h) are those of the issue; `flatten` is what an operator is promised who brings a position to zero. A
check that fails raises `Violation` with its figures.

(a), (c) and (e) are exact: a position counts from the smallest quantity that its venue would trade. Less than that is
dust, for which nobody could send an order. Venues of these runs leave it now and then: less than one lot of each entry,
because what is left is looked at entry by entry, and less than one lot of each trade that is over. The dust of several
trades can add up to what could be traded again; it is no trade's any more, and reported as a position without a trade.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from common.domain.identifiers import order_key_of
from common.domain.trade_states import ACTIVE_STATES
from common.messages.contracts import FlattenRequested
from executor.domain.reconciliation import external_order_id
from simulation.world import World
from support.memory_postgres import Row, Table
from support.virtual_venue_server import VenueServer
from venue_sim.account import Fill, FundingPayment, Order
from venue_sim.matching import Side

ONE_LEG_SECONDS_MAX = 40.0
"""A lease that has to run out, the longest question after an unknown order, a cancel, a few unwinds."""

STATE_SECONDS_MAX = 6.0
"""From the moment in which a state is left to the arrival of the last order that it allowed."""

ENTRY_SLIP = Decimal("0.05")
"""How far a fill may be from its plan, as a share of one entry."""


_FUNDING = "live_trade_funding"


def _is_true(booked: dict[str, Any], fill: Fill | None) -> bool:
    """Whether what is booked of a fill, all of it or a part, has the venue's own figures."""
    if fill is None or not 0 < booked["quantity"] <= fill.quantity:
        return False
    return (booked["price"], booked["fee_usdt"]) == (fill.price, _fee_of(fill, booked["quantity"]))


def _fee_of(fill: Fill, quantity: Decimal) -> Decimal:
    return fill.fee if quantity == fill.quantity else fill.fee * quantity / fill.quantity


def _key_of(fill: Fill) -> str | None:
    """The key of a trade or a flatten; None of somebody else's order."""
    return order_key_of(fill.client_id.split("-")[0])


def _by_place(fills: Sequence[Row]) -> dict[tuple[str, str, str], Row]:
    return {(fill["venue"], fill["symbol"], fill["fill_id"]): fill for fill in fills}


class Violation(AssertionError):
    """An invariant does not hold."""

    def __init__(self, name: str, figures: str) -> None:
        super().__init__(f"{name}: {figures}")
        self.name = name


@dataclass(eq=False)
class Held:
    """What the venues themselves say that one trade (order key) did, from its fills."""

    symbol: str
    net: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """Signed quantity by venue."""
    opened: dict[tuple[str, int], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """Quantity open by (venue, entry); an order that closes the whole trade is not counted against entries."""
    cost: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """Notional of what opened, less that of what was unwound, by venue."""
    entries: dict[int, None] = field(default_factory=dict)
    uneven_since: float | None = None

    @property
    def uneven(self) -> Decimal:
        """What no other leg matches."""
        return abs(sum(self.net.values(), Decimal(0)))


class Invariants:
    """Watches one run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.checks: Counter[str] = Counter()
        self.violation: Violation | None = None
        self.touched: set[str] = set()
        """Symbols in which somebody else traded."""
        self._held: dict[str, Held] = {}
        self._flattens: dict[str, FlattenRequested] = {}
        """Wishes by the key of the orders against what no trade holds."""
        self._states: list[tuple[float, str]] = [(0.0, "active")]

    # Told by the world

    def committed(self, written: Mapping[str, Table]) -> None:
        """After every commit."""
        now = self._world.loop.time()
        for row in written.get("trading_state", {}).values():
            self._states.append((now, row["state"]))
        for row in written.get("operator_flatten", {}).values():
            self._flattens[row["order_key"]] = self._world.flattens[row["request_id"]]
        if "live_trade_signal" in written:
            active = Counter(
                row["symbol"] for row in self._world.rows("live_trade_signal") if row["status"] in ACTIVE_STATES
            )
            self._check("c", all(count == 1 for count in active.values()), lambda: f"active trades: {active}")

    def arrived(self, server: VenueServer, order: Order, client_order_id: str) -> None:
        """After every order that took effect."""
        times = server.effects[client_order_id]
        self._check("b", times == 1, lambda: f"{client_order_id} took effect {times} times on {server.name}")
        key = order_key_of(client_order_id)
        self._check("b", key is not None, lambda: f"{client_order_id} is no id of ours")
        assert key is not None
        if key in self._flattens:
            self._check_flatten(server, order, self._flattens[key])
            return
        held = self._held.setdefault(key, Held(order.symbol))
        if not order.reduce_only:
            held.entries[int(client_order_id[20:22], 16)] = None
            self._limits(server, order, key, held)
            self._check("h", self._may_open(), lambda: f"{client_order_id} opened while {self._states[-1]}")

    def _check_flatten(self, server: VenueServer, order: Order, wish: FlattenRequested) -> None:
        where = (server.name, order.symbol) == (wish.venue, wish.symbol)
        allowed = order.reduce_only and wish.include_unowned and where
        self._check("flatten", allowed, lambda: f"{order} of {server.name} was sent for {wish}")

    def unexpected(self, where: str, error: BaseException) -> None:
        """A process or a handler failed with what nothing passing explains."""
        self._check("unexpected", False, lambda: f"{where}: {error!r}")

    # Step by step

    def look(self) -> None:
        """Reads the venues' ledgers: once a second, and at rest."""
        self._read_fills()
        for key, held in self._held.items():
            self._look_at(key, held)

    def _look_at(self, key: str, held: Held) -> None:
        now = self._world.loop.time()
        if held.uneven < self._lot(held.symbol) * len(held.entries) or held.symbol in self.touched:
            held.uneven_since = None
            return
        held.uneven_since = now if held.uneven_since is None else held.uneven_since
        lasted = now - max(held.uneven_since, self._world.troubled_until)
        figures = f"{key} uneven for {lasted:.1f} s: {dict(held.net)}"
        self._check("e", lasted <= self._one_leg_seconds_max, figures)

    @property
    def _one_leg_seconds_max(self) -> float:
        """A failed leg of a close waits for the cooldown, which is market time."""
        return ONE_LEG_SECONDS_MAX + self._world.settings.live_trading_close_retry_cooldown_sec / self._world.plan.speed

    def _read_fills(self) -> None:
        for held in self._held.values():
            held.net.clear()
            held.opened.clear()
            held.cost.clear()
        for name, server in self._world.venues.items():
            server.venue.settle()
            for fill in server.venue.account.fills:
                self._add(name, fill)

    def _add(self, venue: str, fill: Fill) -> None:
        key = _key_of(fill)
        if key in self._flattens:
            return
        if key is None or key not in self._held:
            self.touched.add(fill.symbol)
            return
        held = self._held[key]
        sign = 1 if fill.side is Side.BUY else -1
        held.net[venue] += sign * fill.quantity
        entry, purpose = int(fill.client_id[20:22], 16), fill.client_id[23]
        if purpose == "0":
            held.opened[venue, entry] += fill.quantity
            held.cost[venue] += fill.quantity * fill.price
        elif purpose == "1":
            held.opened[venue, entry] -= fill.quantity
            held.cost[venue] -= fill.quantity * fill.price

    def _limits(self, server: VenueServer, order: Order, key: str, held: Held) -> None:
        settings = self._world.settings
        self._read_fills()
        open_entries = {
            entry
            for entry in held.entries
            if any(quantity > 0 for (_, number), quantity in held.opened.items() if number == entry)
        }
        maximum = settings.live_trading_scale_in_max_entries if settings.live_trading_scale_in_enabled else 1
        self._check("d", len(open_entries) <= maximum, lambda: f"{key} has entries {sorted(open_entries)} of {maximum}")
        rules = settings.scale_in_rules
        slip = settings.live_trading_per_leg_usdt * ENTRY_SLIP * len(open_entries)
        cap = rules.notional_cap_usdt + rules.notional_slack_usdt + slip
        cost = held.cost[server.name]
        self._check("d", cost <= cap, lambda: f"{key} holds {cost} USDT on {server.name}, allowed are {cap}")
        if order.symbol not in self.touched:
            others = [trade for other, trade in self._held.items() if other != key and trade.symbol == order.symbol]
            self._check("c", self._are_flat(others), lambda: f"{key} opens {order.symbol} while there is {others}")

    def _are_flat(self, trades: Sequence[Held]) -> bool:
        """Whether trades on one symbol hold nothing more, at any venue, than the dust of each."""
        held: dict[str, Decimal] = defaultdict(Decimal)
        for trade in trades:
            for name, quantity in trade.net.items():
                held[name] += quantity
        return all(abs(quantity) < self._lot(trades[0].symbol) * len(trades) for quantity in held.values())

    def _lot(self, symbol: str) -> Decimal:
        """The smallest order that every venue takes: what is less can be held, and nobody can trade it."""
        return max(server.venue.instruments[symbol].quantity_min for server in self._world.venues.values())

    def _may_open(self) -> bool:
        """Whether trading was active at some moment within the time that an order may be under way."""
        now = self._world.loop.time()
        if self._states[-1][1] == "active":
            return True
        left_at = self._states[-1][0]
        return now - left_at <= STATE_SECONDS_MAX

    def _check(self, name: str, holds: bool, figures: str | Callable[[], str]) -> None:
        self.checks[name] += 1
        if not holds and self.violation is None:
            self.violation = Violation(name, figures if isinstance(figures, str) else figures())
            self._world.trace(f"VIOLATION {self.violation}")

    # At rest

    def unrest(self) -> list[str]:
        """What is still going on; empty at rest."""
        world, found = self._world, []
        for row in world.rows("live_trade_signal"):
            if row["status"] in ("new", "opening", "closing"):
                found.append(f"signal {row['id']} is {row['status']}")
            if row["status"] == "closed" and row["finalised_at"] is None:
                found.append(f"signal {row['id']} is not finalised")
        found += [
            f"order {row['client_order_id']} is {row['status']}, booked {row['booked_quantity']}"
            for row in world.rows("live_trade_order")
            if row["status"] in ("intent", "working", "unknown") or row["booked_quantity"] != row["filled_quantity"]
        ]
        found += [f"flatten {row['request_id']} is working" for row in world.rows("operator_flatten", state="working")]
        found += [
            f"flatten order {row['client_order_id']} is {row['status']}"
            for row in world.rows("operator_flatten_order")
            if row["status"] in ("intent", "working", "unknown") or not self._is_booked(row)
        ]
        found += [f"entry {row['id']} is opening" for row in world.rows("live_trade_entry", status="opening")]
        waiting = len(world.rows("outbox", published_at=None))
        if waiting or world.bus.backlog():
            found.append(f"{waiting} messages in the outbox, {world.bus.backlog()} on the bus")
        return found

    def _is_booked(self, order: Row) -> bool:
        fills = self._world.rows("operator_flatten_fill", order_id=order["id"])
        told: Decimal = sum((fill["quantity"] for fill in fills if fill["fee_usdt"] is not None), Decimal(0))
        return bool(order["filled_quantity"] == told)

    def all_flat(self) -> None:
        """After a wish for every venue and symbol: nothing is left that could be traded, or the wish says how much.

        That is where a contract's lot changed lately: orders that no longer fit are refused until it is read anew.
        """
        changed = {trouble.target for trouble in self._world.plan.troubles if trouble.kind == "change_rules"}
        last = {(row["venue"], row["symbol"]): row for row in self._world.rows("operator_flatten")}
        for (name, symbol), wish in last.items():
            held = self._world.venues[name].venue.account.position(symbol).quantity
            state, told = wish["state"], wish["evidence"].get("venue_quantity")
            is_told = told is not None and Decimal(told) == held and state == ("flat" if held == 0 else "not_flat")
            is_dust = abs(held) < self._lot(symbol) or f"{name}:{symbol}" in changed
            figures = f"{name} holds {held} {symbol}, and {wish['request_id']} is {state} with {told}"
            self._check("flatten", is_told and is_dust, figures)

    def at_rest(self, is_rest: bool, why_not: list[str]) -> None:
        """Everything that must hold when nothing is going on any more."""
        self._check("rest", is_rest, lambda: "; ".join(why_not[:6]))
        self.look()
        self._positions_equal_the_ledger()
        self._what_is_over_is_flat()
        self._every_fill_is_booked()
        self._every_event_has_a_verdict()

    def _positions_equal_the_ledger(self) -> None:
        """(a), where somebody else traded too: with what of their fills is not in the ledger."""
        ours: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        external: dict[str, Decimal] = defaultdict(Decimal)
        for row in self._world.rows("live_trade_order"):
            sign = 1 if row["side"] == "buy" else -1
            ours[row["venue"], row["symbol"]] += sign * row["filled_quantity"]
            if row["purpose"] == "external":
                external[row["client_order_id"]] += row["filled_quantity"]
        for row in self._world.rows("operator_flatten_order"):
            ours[row["venue"], row["symbol"]] += row["filled_quantity"] * (1 if row["side"] == "buy" else -1)
        for name, server in self._world.venues.items():
            foreign: dict[str, Decimal] = defaultdict(Decimal)
            for fill in server.venue.account.fills:
                key = _key_of(fill)
                if key is None or key in self._flattens:
                    part = external.pop(external_order_id(name, fill.symbol, fill.fill_id), Decimal(0))
                    self._check("f", part <= fill.quantity, f"{part} booked of {fill}")
                    theirs = fill.quantity if key is None else Decimal(0)
                    foreign[fill.symbol] += (theirs - part) * fill.side.sign
            for symbol in self._world.plan.symbols:
                held = server.venue.account.position(symbol).quantity
                ledger = ours[name, symbol] + foreign[symbol]
                self._check("a", held == ledger, f"{name} holds {held} {symbol}, ledger {ledger}")
        self._check("f", not external, f"booked as somebody else's, and no venue knows it: {dict(external)}")

    def _what_is_over_is_flat(self) -> None:
        """All trades that are over together, because a venue nets the dust of one with the next."""
        over = {row["id"] for row in self._world.rows("live_trade_signal") if row["status"] in ("closed", "failed")}
        left: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        trades: dict[tuple[str, str], set[int]] = defaultdict(set)
        for order in self._world.rows("live_trade_order"):
            if order["signal_id"] in over:
                where = (order["venue"], order["symbol"])
                left[where] += order["filled_quantity"] * (1 if order["side"] == "buy" else -1)
                trades[where].add(order["signal_id"])
        for (name, symbol), quantity in left.items():
            dust = self._lot(symbol) * len(trades[name, symbol])
            self._check("a", abs(quantity) < dust, f"trades that are over hold {quantity} {symbol} on {name}")

    def _every_fill_is_booked(self) -> None:
        """(f): the same fills with the same figures on both sides, and the sums that follow from them.

        Of somebody else's fill a part may be booked, with its share of the fee, and so may what a flatten took of a
        trade.
        """
        booked = _by_place(self._world.rows("live_trade_fill"))
        flattened = _by_place(self._world.rows("operator_flatten_fill"))
        truth: dict[Any, Fill] = {}
        missing = []
        for name, server in self._world.venues.items():
            for fill in server.venue.account.fills:
                where = (name, fill.symbol, fill.fill_id)
                truth[where] = fill
                key = _key_of(fill)
                ledger = flattened if key in self._flattens else booked
                if key is not None and (where not in ledger or ledger[where]["quantity"] != fill.quantity):
                    missing.append(where)
        rows = [*booked.items(), *flattened.items()]
        invented = [where for where, row in rows if not _is_true(row, truth.get(where))]
        self._check("f", not missing and not invented, lambda: f"missing {missing[:4]}, invented {invented[:4]}")
        for row in self._world.rows("live_trade_signal"):
            if row["net_pnl_usdt"] is not None and not invented:
                self._pnl_agrees(row, self._cash_of(row, truth))

    def _cash_of(self, row: dict[str, Any], truth: Mapping[Any, Fill]) -> Decimal:
        """What the fills of a trade brought, fees paid, in the venues' own figures."""
        cash = Decimal(0)
        for booked in self._world.rows("live_trade_fill", signal_id=row["id"]):
            fill = truth[booked["venue"], booked["symbol"], booked["fill_id"]]
            cash -= fill.side.sign * fill.price * booked["quantity"] + _fee_of(fill, booked["quantity"])
        return cash

    def _pnl_agrees(self, row: dict[str, Any], cash: Decimal) -> None:
        """The sums follow from the venues' own figures; which payments on dust belong to a trade is nobody's matter."""
        truth = {
            (name, payment.payment_id): payment
            for name, server in self._world.venues.items()
            for payment in server.venue.account.payments
        }
        booked = {(paid["venue"], paid["payment_id"]): paid["amount_usdt"] for paid in self._world.rows(_FUNDING)}
        invented = [where for where, amount in booked.items() if where not in truth or truth[where].amount != amount]
        missing = [where for where, payment in truth.items() if self._is_of(payment, row) and where not in booked]
        self._check("f", not missing and not invented, f"funding missing {missing[:4]}, invented {invented[:4]}")
        wanted = cash + self._funding_on_ours(row)
        self._check(
            "f", row["net_pnl_usdt"] == wanted, f"net P&L of trade {row['id']}: {row['net_pnl_usdt']}, {wanted}"
        )

    def _is_of(self, payment: FundingPayment, row: dict[str, Any]) -> bool:
        """A payment on more than dust, while this trade was the one on its symbol and nobody else was."""
        fills = [fill["traded_at"] for fill in self._world.rows("live_trade_fill", signal_id=row["id"])]
        if not fills or payment.symbol != row["symbol"] or payment.symbol in self.touched:
            return False
        is_large = abs(payment.position) > 2 * self._lot(payment.symbol)
        return is_large and min(fills) < payment.time <= max(fills)

    def _funding_on_ours(self, row: dict[str, Any]) -> Decimal:
        """The payments of a trade on legs that held something then, whoever else was on the contract."""
        orders = {order["id"]: order for order in self._world.rows("live_trade_order", signal_id=row["id"])}
        fills = [(orders[fill["order_id"]], fill) for fill in self._world.rows("live_trade_fill", signal_id=row["id"])]
        total = Decimal(0)
        for paid in self._world.rows(_FUNDING, signal_id=row["id"]):
            before, at_once = Decimal(0), False
            for order, fill in fills:
                if order["leg"] == paid["leg"]:
                    change = fill["quantity"] if order["purpose"] == "open" else -fill["quantity"]
                    before += change if fill["traded_at"] < paid["settled_at"] else 0
                    at_once |= fill["traded_at"] == paid["settled_at"]
            total += paid["amount_usdt"] if before or at_once else 0
        return total

    def _every_event_has_a_verdict(self) -> None:
        signals = {row["event_id"]: row["status"] for row in self._world.rows("live_trade_signal")}
        limit: datetime = self._world.clock.now() - timedelta(seconds=30 * self._world.plan.speed)
        for row in self._world.rows("watch_signal_event"):
            if row["opened_at"] is not None and row["opened_at"] < limit:
                verdict = signals.get(row["id"], "none")
                figures = f"event {row['id']} of {row['symbol']} is {row['status']}, its signal {verdict}"
                self._check("g", verdict not in ("none", "new"), figures)
