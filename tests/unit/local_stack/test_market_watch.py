"""What happens is told once, when it happens, in words."""

from decimal import Decimal
from typing import Any

import pytest

from local_stack.market_watch import MarketWatch, shown
from local_stack.trades import Signal


def signal(**changed: Any) -> Signal:
    figures = {"id": 1, "symbol": "SOL", "status": "new", "long_venue": "bybit", "short_venue": "binance"}
    return Signal.model_validate(figures | changed)


def told(*steps: Signal) -> list[str]:
    watch = MarketWatch()
    return [line for step in steps for line in watch.take([step])]


def test_a_trade_is_told_from_its_signal_to_its_settlement() -> None:
    opened = {"status": "open", "entries_count": 1, "entry_spread_pct_first": 0.0123}
    closed = {"status": "closed", "entries_count": 2, "close_reason": "take_profit"}
    settled = {"finalised_at": "2025-10-10T22:00:00Z", "fees_usdt": "0.10", "funding_usdt": "0", "net_pnl_usdt": "1.5"}
    assert told(
        signal(),
        signal(**opened),
        signal(**opened),
        signal(**opened | {"entries_count": 2}),
        signal(**closed),
        signal(**closed | settled),
        signal(**closed | settled),
    ) == [
        "SOL signal: long bybit / short binance",
        "SOL opened: long bybit / short binance, 1.23%",
        "SOL closed: take_profit",
        "SOL settled: fees 0.1, funding 0, net P&L 1.5 USDT",
    ]


def test_a_signal_that_is_skipped_again_is_told_again_only_for_another_reason() -> None:
    steps = [signal(status="skipped", reason=reason) for reason in ("book_stale", "book_stale", "unstable")]
    assert told(*steps) == ["SOL skipped: book_stale", "SOL skipped: unstable"]


def test_a_signal_that_fell_off_the_page_is_not_forgotten() -> None:
    watch = MarketWatch()
    watch.take([signal(id=1, status="closed")])
    watch.take([signal(id=2)])
    assert [one.id for one in watch.outcome.signals] == [1, 2]


@pytest.mark.parametrize(
    ("amount", "text"), [("1.500", "1.5"), ("100", "100"), ("0E-8", "0"), ("1E+2", "100"), ("-0.10", "-0.1")]
)
def test_amounts_are_shown_plainly(amount: str, text: str) -> None:
    assert shown(Decimal(amount)) == text


def test_an_unknown_amount_is_not_shown_as_zero() -> None:
    assert shown(None) == "?"
