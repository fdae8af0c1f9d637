"""Bugs planted on purpose, to show that the simulation finds them. They exist only while a run has them patched in.

Each is one that neighbours of this system really have: an order sent before its intent is committed, a timeout
that is sent again, a partial fill taken for a whole one, a lease and a version that nobody checks.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from common.domain.identifiers import Leg, Purpose
from common.venues.errors import OrderOutcomeUnknown
from common.venues.ports import OrderIntent, OrderReport, OrderState
from executor.adapters import trade_ledger
from executor.application import entries, flatten_books, guarded_desk, orders
from executor.application.ports import EntryPlan
from executor.domain.order_machine import OrderStatus
from executor.domain.records import TradeBook, new_order
from executor.domain.trading_state import Authority
from support import memory_statements_leases as leases
from support import memory_statements_trades as statements
from support.memory_postgres import Row, Transaction

Patches = AbstractContextManager[Any]


@dataclass(frozen=True)
class Planted:
    """One bug: what it does, a seed that finds it, and how it is planted."""

    story: str
    seed: int
    patches: Callable[[], Patches]


@contextmanager
def plant(name: str | None) -> Iterator[None]:
    """Has every run inside suffer from that bug."""
    with ExitStack() as stack:
        if name is not None:
            stack.enter_context(PLANTED[name].patches())
        yield


def _skip_the_intent() -> Patches:
    async def open_(self: Any, book: TradeBook, plan: EntryPlan) -> TradeBook:
        trade = replace(book.trade, long_venue=plan.long_venue, short_venue=plan.short_venue)
        prices = {Leg.LONG: plan.long_price, Leg.SHORT: plan.short_price}
        sent = {}
        for leg in Leg:
            order = new_order(trade, plan.entry, leg, Purpose.OPEN, 1, plan.quantity, prices[leg])
            sent[leg] = await self._runner._attempt(order, math.inf, Authority.STRATEGY)
        book = await self._ledger.begin_entry(book, plan, self._concurrent_max)
        entry = next(item for item in book.entries if item.entry == plan.entry)
        for leg in Leg:
            await self._ledger.record_outcome(book.opening_order(entry, leg), sent[leg])
        return TradeBook(*_parts(await self.settle(await self._ledger.book(book.trade.id))))

    return patch.object(entries.EntryOpener, "open", open_)


def _parts(book: TradeBook) -> tuple[Any, Any, Any]:
    return book.trade, book.entries, book.orders


def _resend_on_timeout() -> Patches:
    original = guarded_desk.GuardedDesk.send

    async def send(self: Any, intent: OrderIntent, *arguments: Any) -> OrderReport:
        try:
            return await original(self, intent, *arguments)
        except OrderOutcomeUnknown:
            return await original(self, intent, *arguments)

    return patch.object(guarded_desk.GuardedDesk, "send", send)


def _unknown_is_failed() -> Patches:
    original = orders.OrderRunner._attempt

    async def attempt(self: Any, *arguments: Any) -> Any:
        outcome = await original(self, *arguments)
        return replace(outcome, status=OrderStatus.NOT_SENT) if outcome.status is OrderStatus.UNKNOWN else outcome

    return patch.object(orders.OrderRunner, "_attempt", attempt)


def _ignore_partial_fills() -> Patches:
    original = orders.outcome_of

    def outcome_of(report: OrderReport, quantity: Decimal) -> Any:
        if report.state is not OrderState.WORKING and report.filled_quantity > 0:
            report = replace(report, filled_quantity=quantity)
        return original(report, quantity)

    return patch.object(orders, "outcome_of", outcome_of)


def _forget_the_lease() -> Patches:
    def touch(transaction: Transaction, id_: int, version: int, now: Any, owner: str) -> list[Row]:
        row = transaction.locked("live_trade_signal", id_)
        assert row is not None
        return statements._touch(transaction, id_, row["version"], now, row["lease_owner"] or owner)

    def take(transaction: Transaction, id_: int, owner: str, seconds: float) -> list[Row]:
        row = transaction.locked("live_trade_signal", id_)
        assert row is not None
        return leases._take_lease(transaction, id_, row["lease_owner"] or owner, seconds)

    stack = ExitStack()
    stack.enter_context(patch.dict(statements.TRADE_STATEMENTS, {trade_ledger._TOUCH: touch}))
    stack.enter_context(patch.dict(leases.LEASE_STATEMENTS, {trade_ledger._TAKE_LEASE: take}))
    return stack


def _send_at_any_age() -> Patches:
    original = guarded_desk.GuardedDesk.send

    async def send(
        self: Any, intent: OrderIntent, purpose: Any, authority: Authority, not_after_seconds: float
    ) -> OrderReport:
        return await original(self, intent, purpose, authority, float("inf"))

    return patch.object(guarded_desk.GuardedDesk, "send", send)


def _give_up_early() -> Patches:
    return patch.object(orders, "GIVE_UP_AFTER_SECONDS", 0.3)


def _leave_the_stray_leg() -> Patches:
    async def no_excess(self: Any, *_: Any) -> None:
        return None

    return patch.object(entries.EntryOpener, "_tradable_excess", no_excess)


def _halt_by_name_only() -> Patches:
    async def no_refusal(self: Any, *_: Any, **__: Any) -> None:
        return None

    stack = ExitStack()
    stack.enter_context(patch.object(trade_ledger.PostgresTradeLedger, "_refuse_unless_active", no_refusal))
    stack.enter_context(patch.object(guarded_desk, "may_send", lambda *_: True))
    stack.enter_context(patch("executor.domain.gate.refuse_by_state", lambda *_: None))
    return stack


def _forget_the_flatten() -> Patches:
    async def nothing(self: Any) -> None:
        return None

    return patch.object(flatten_books.FlattenBooks, "sweep", nothing)


PLANTED: Mapping[str, Planted] = {
    "skip_the_intent": Planted("legs are sent first and recorded afterwards", 1, _skip_the_intent),
    "resend_on_timeout": Planted("an order without an answer is sent again", 51, _resend_on_timeout),
    "unknown_is_failed": Planted("an order without an answer counts as not sent", 11, _unknown_is_failed),
    "ignore_partial_fills": Planted("an order that ended counts as filled whole", 25, _ignore_partial_fills),
    "forget_the_lease": Planted("nobody checks the lease or the version", 1, _forget_the_lease),
    "send_at_any_age": Planted("an executor that slept sends what it meant to send before", 48, _send_at_any_age),
    "give_up_early": Planted("an order that is still on its way counts as never sent", 11, _give_up_early),
    "leave_the_stray_leg": Planted("what one leg filled alone is left there", 11, _leave_the_stray_leg),
    "halt_by_name_only": Planted("a halt is stored and nobody looks at it", 215, _halt_by_name_only),
    "forget_the_flatten": Planted("what a flatten cost is not booked", 1, _forget_the_flatten),
}
