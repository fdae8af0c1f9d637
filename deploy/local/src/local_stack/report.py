"""The result of a run: tables for the person, JSON for the machine. Both are made from the same figures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.table import Table

from local_stack.expectations import Outcome, Unmet
from local_stack.market_watch import shown
from local_stack.reconciliation import VenueLedger
from local_stack.screen import Screen
from local_stack.trades import Trade


@dataclass(frozen=True)
class Result:
    """Everything a finished run has to say."""

    scenario: str
    title: str
    market_from: datetime
    market_to: datetime
    real_seconds: float
    outcome: Outcome
    trades: Sequence[Trade]
    ledgers: Sequence[VenueLedger]
    unmet: Sequence[Unmet]
    differences: Sequence[str]
    expected: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.unmet and not self.differences


def show(result: Result, screen: Screen) -> None:
    """Trades, orders and venues as tables, then the verdict."""
    if result.trades:
        screen.show(_trades_table(result.trades))
        screen.show(_orders_table(result.trades))
    screen.show(_venues_table(result.ledgers))
    for difference in result.differences:
        screen.say(f"books differ: {difference}", style="red")
    for miss in result.unmet:
        screen.say(f"expectation failed: {miss}", style="red")
    if not result.differences:
        screen.say("Tandem's books equal the venues' own ledgers, to the last digit.", style="green")
    if not result.unmet:
        screen.say(f"Every expectation of {result.scenario} was met: {_expected(result)}.", style="green")


def write(result: Result, path: Path) -> None:
    """The same as JSON; decimals are strings, so that nothing is rounded."""
    content = {
        "scenario": result.scenario,
        "title": result.title,
        "passed": result.passed,
        "market_from": result.market_from,
        "market_to": result.market_to,
        "real_seconds": round(result.real_seconds, 3),
        "net_pnl_usdt": result.outcome.net_pnl_usdt,
        "expected": result.expected,
        "unmet": [vars(miss) for miss in result.unmet],
        "differences": list(result.differences),
        "trades": [trade.model_dump() for trade in result.trades],
        "venues": [ledger.model_dump() for ledger in result.ledgers],
        "signals": [signal.model_dump() for signal in result.outcome.signals],
        "recorded": {name: sorted(found) for name, found in vars(result.outcome.recorded).items()},
    }
    path.write_text(json.dumps(content, indent=2, default=_plain) + "\n")


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _expected(result: Result) -> str:
    named = (f"{name} {_worded(value)}" for name, value in result.expected.items() if value not in (None, []))
    return ", ".join(named) or "there was none"


def _worded(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _table(title: str, columns: Sequence[str], right: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=column in right)
    return table


def _trades_table(trades: Sequence[Trade]) -> Table:
    money = ("Entries", "Fills", "Gross P&L", "Fees", "Funding", "Net P&L")
    table = _table(
        "Trades (USDT)", ("Trade", "Direction", "Held", *money[:2], "Closed by", *money[2:]), (*money, "Held")
    )
    for trade in trades:
        signal = trade.signal
        table.add_row(
            f"{signal.id} {signal.symbol}",
            signal.direction,
            _held(signal.opened_at, signal.closed_at),
            str(len(trade.filled_entries)),
            str(len(trade.fills)),
            signal.close_reason or signal.status,
            shown(_gross(trade)),
            shown(signal.fees_usdt),
            shown(signal.funding_usdt),
            shown(signal.net_pnl_usdt),
        )
    return table


def _gross(trade: Trade) -> Decimal | None:
    """P&L of the prices alone, from what was stored: net, plus fees, less funding."""
    signal = trade.signal
    if signal.net_pnl_usdt is None or signal.fees_usdt is None or signal.funding_usdt is None:
        return None
    return signal.net_pnl_usdt + signal.fees_usdt - signal.funding_usdt


def _orders_table(trades: Sequence[Trade]) -> Table:
    figures = ("Quantity", "Average price", "Fills", "Fee")
    table = _table("Orders", ("Trade", "Order", "Venue", "Side", "Status", *figures), figures)
    for trade in trades:
        for order in trade.orders:
            fills = [fill for fill in trade.fills if fill.order_id == order.id]
            fees = [fill.fee_usdt for fill in fills if fill.fee_usdt is not None]
            table.add_row(
                str(trade.signal.id),
                f"{order.purpose} {order.entry or ''}".strip(),
                order.venue,
                order.side,
                order.status,
                shown(order.filled_quantity),
                shown(order.average_price),
                str(len(fills)),
                shown(sum(fees, Decimal(0)) if len(fees) == len(fills) else None),
            )
    return table


def _venues_table(ledgers: Sequence[VenueLedger]) -> Table:
    figures = ("Fills", "Fees", "Funding", "Balance before", "Balance now", "Gained")
    table = _table("What the venues say (USDT)", ("Venue", *figures, "Positions"), figures)
    for ledger in ledgers:
        table.add_row(
            ledger.venue,
            str(len(ledger.fills)),
            shown(ledger.fees_usdt),
            shown(ledger.funding_usdt),
            shown(ledger.initial_balance_usdt),
            shown(ledger.balance_usdt),
            shown(ledger.earned_usdt),
            ", ".join(f"{held.quantity:f} {held.symbol}" for held in ledger.positions) or "flat",
        )
    total = sum((ledger.earned_usdt for ledger in ledgers), Decimal(0))
    table.add_section()
    table.add_row("together", "", "", "", "", "", shown(total), "")
    return table


def _held(opened: datetime | None, closed: datetime | None) -> str:
    if opened is None or closed is None:
        return ""
    minutes, seconds = divmod(int((closed - opened).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
