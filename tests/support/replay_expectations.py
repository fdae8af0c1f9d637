"""What a replay is expected to show, as text that a person reviews.

The figures are written by the replay, the explanations by a person: regenerating keeps the explanation of every trade
that is still there and leaves an empty one to be written where a trade is new. As a program it rewrites the
expectations of the named cases, or of all, and prints what changed:

    PYTHONPATH=tests .venv/bin/python -m support.replay_expectations e1_crash
"""

import asyncio
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from difflib import unified_diff
from pathlib import Path
from typing import Any

from common.domain.identifiers import Leg
from support.market_replay import MarketReplay
from support.recorded_market import CASES, RecordedMarket, load_case
from support.replayed_trades import Replay, ReplayedEntry, ReplayedTrade

EXPECTED = Path(__file__).parents[1] / "replay" / "expected"
USDT_PLACES = Decimal("0.000001")

Explanations = Mapping[str, str]
"""By the trade's key, and the whole replay's under the empty key."""


async def play(name: str) -> Replay:
    """Runs the case of that name."""
    return await MarketReplay(RecordedMarket(load_case(name))).run()


def case_names() -> list[str]:
    """All cases, from the files that are there."""
    return sorted(path.stem for path in CASES.glob("*.toml"))


def expected_text(name: str) -> str:
    """The stored expectation, or nothing where there is none yet."""
    path = EXPECTED / f"{name}.toml"
    return path.read_text() if path.exists() else ""


def explanations_of(text: str) -> Explanations:
    """The explanations in a stored expectation."""
    stored: dict[str, Any] = tomllib.loads(text)
    by_trade = {_key(trade["symbol"], trade["opened_at"]): trade["explanation"] for trade in stored.get("trades", ())}
    return {"": stored.get("explanation", ""), **by_trade}


def render(replay: Replay, explanations: Explanations) -> str:
    """The expectation of a replay. Spreads in percent, P&L in USDT to six places."""
    parts = [
        f"explanation = {_text(explanations.get('', ''))}",
        f"moments = {replay.moments}",
        f"observations = {_counts(replay.verdicts)}",
        f"events = {replay.events}",
        f"signals = {_counts(_signal_counts(replay))}",
        f"trades_by_close_reason = {_counts(Counter(_close_reason(trade) for trade in replay.trades))}",
        f"net_pnl_usdt = {_usdt(sum((trade.account.net_pnl_usdt for trade in replay.trades), Decimal(0)))}",
    ]
    attempts = {signal.event_id: signal.attempts for signal in replay.signals}
    trades = [_render_trade(trade, attempts[trade.trade.signal_id], explanations) for trade in replay.trades]
    return "\n".join(parts) + "\n" + "".join(f"\n{trade}\n" for trade in trades)


def difference(expected: str, found: str) -> str:
    """What changed, line by line; empty when nothing did."""
    return "\n".join(unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", lineterm="", n=4))


def _render_trade(replayed: ReplayedTrade, attempts: int, explanations: Explanations) -> str:
    trade, account = replayed.trade, replayed.account
    assert trade.opened_at is not None
    assert trade.take_profit_pnl is not None
    assert trade.entry_metric_weighted is not None
    lines = [
        "[[trades]]",
        f'symbol = "{trade.symbol}"',
        f'long_venue = "{trade.venues[Leg.LONG]}"',
        f'short_venue = "{trade.venues[Leg.SHORT]}"',
        f"opened_at = {_time(trade.opened_at)}",
        f"attempts = {attempts}",
        "entries = [",
        *(f"    {_render_entry(k, entry)}," for k, entry in enumerate(replayed.entries, start=1)),
        "]",
        f"entry_metric_weighted_pct = {_percent(trade.entry_metric_weighted)}",
        f"take_profit_pnl_pct = {_percent(trade.take_profit_pnl)}",
        f"worst_pnl_spread_pct = {_percent(replayed.worst_pnl_spread)}",
        f"verdicts = {_counts(replayed.verdicts)}",
        f"scale_in_refusals = {_counts(replayed.scale_in_refusals)}",
    ]
    if replayed.closed_at is not None and replayed.exit_spread_pct is not None:
        lines.append(f"closed_at = {_time(replayed.closed_at)}")
        lines.append(f"exit_spread_pct = {_percent(replayed.exit_spread_pct)}")
    lines += [
        f'close_reason = "{_close_reason(replayed)}"',
        f"close_figures_pct = {_close_figures(replayed)}",
        f"spread_pnl_usdt = {_usdt(account.spread_pnl_usdt)}",
        f"fees_usdt = {_usdt(account.fees_usdt)}",
        f"funding_usdt = {_usdt(account.funding_usdt)}",
        f"net_pnl_usdt = {_usdt(account.net_pnl_usdt)}",
        f"explanation = {_text(explanations.get(_key(trade.symbol, trade.opened_at), ''))}",
    ]
    return "\n".join(lines)


def _render_entry(k: int, entry: ReplayedEntry) -> str:
    figures = [
        f"k = {k}",
        f"at = {_time(entry.at)}",
        f'quantity = "{entry.quantity}"',
        f'bought_at = "{entry.long_price:.6f}"',
        f'sold_at = "{entry.short_price:.6f}"',
        f"spread_pct = {_percent(entry.spread_pct)}",
        f"pnl_hat_pct = {_percent(entry.pnl_hat)}",
        f"win_prob = {entry.win_prob:.4f}",
    ]
    return f"{{ {', '.join(figures)} }}"


def _signal_counts(replay: Replay) -> Counter[str]:
    return Counter(f"{signal.status}:{signal.reason}" if signal.reason else signal.status for signal in replay.signals)


def _close_reason(replayed: ReplayedTrade) -> str:
    return replayed.closing_verdict.reason if replayed.closing_verdict else "still_open"


def _close_figures(replayed: ReplayedTrade) -> str:
    """The shares that the closing rule compared."""
    figures = replayed.closing_verdict.figures if replayed.closing_verdict else {}
    compared = [f"{name} = {_percent(share)}" for name, share in figures.items() if isinstance(share, float)]
    return f"{{ {', '.join(compared)} }}" if compared else "{}"


def _key(symbol: str, opened_at: datetime) -> str:
    return f"{symbol} {_time(opened_at)}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.4f}"


def _usdt(amount: Decimal) -> str:
    return f'"{amount.quantize(USDT_PLACES)}"'


def _counts(counts: Mapping[str, int]) -> str:
    figures = ", ".join(f'"{name}" = {count}' for name, count in sorted(counts.items()))
    return f"{{ {figures} }}" if figures else "{}"


def _text(text: str) -> str:
    return f'"""\n{text.strip()}\n"""' if text.strip() else '""'


def main(names: list[str]) -> None:
    """Rewrites the expectations and prints what changed."""
    for name in names or case_names():
        before = expected_text(name)
        after = render(asyncio.run(play(name)), explanations_of(before))
        EXPECTED.mkdir(exist_ok=True)
        (EXPECTED / f"{name}.toml").write_text(after)
        print(difference(before, after) or f"{name}: nothing changed")


if __name__ == "__main__":
    main(sys.argv[1:])
