"""The rescue of 10 October 2025, step by step, and what would show that a part acted twice.

The market stands at each gap until its entry is made, and the past is so long that a gap is news for more than a
minute: a slow machine plays the same trade as a fast one.
"""

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from common.runtime.inputs import ID_MAX
from local_stack.reconciliation import differences
from local_stack.trades import Trade
from support.running_stack import RunningStack, eventually

SCENARIO = "oct-10-2025-sol"
ENTRY_GAPS = (Decimal("0.0125"), Decimal("0.021"), Decimal("0.037"))
"""The dear venue over the cheap one as it opened, and as it widened to its peak."""
ENTRIES = len(ENTRY_GAPS)
NO_GAP = Decimal("0.0008")
PAST_MINUTES = 1900
"""What is seen of a gap counts against it as soon as it is a seventh of all looks: long after the entry is made."""
_ONCE_A_TRADE = Counter({"entry_begun": 1, "opened": 1, "scale_in_begun": 2, "scaled_in": 2, "closing": 1, "closed": 1})
_ROUNDING = timedelta(seconds=2)


@dataclass(frozen=True)
class Market:
    """A contract at two venues; `mid` is the price at the cheap one."""

    symbol: str
    cheap: str
    dear: str
    mid: Decimal

    def __str__(self) -> str:
        return f"{self.cheap}-{self.dear}"


SOL = Market("SOL", "bybit", "binance", Decimal(190))
"""The one of the scenario."""


async def begin(running: RunningStack, *markets: Market, past_minutes: int = PAST_MINUTES) -> None:
    """Tells what the hours before looked like, by which the gap is judged, and starts the market."""
    begins_at = running.stack.market_clock().now()
    looks = [look for market in markets for look in _past(market, begins_at, past_minutes)]
    answer = await running.post("/signals/batch", "\n".join(json.dumps(look) for look in looks))
    assert answer.json()["accepted"] == len(looks), answer.text
    for market in markets:
        await show_gap(running, NO_GAP, market)
    running.stack.start_clock()


def _past(market: Market, until: datetime, minutes: int) -> list[dict[str, Any]]:
    """A look a minute, at which both venues cost the same."""
    price = float(market.mid)
    legs = {"long": {"venue": market.cheap, "price": price}, "short": {"venue": market.dear, "price": price}}
    moments = [until - timedelta(minutes=minute) for minute in range(10, 10 + minutes)]
    return [{"symbol": market.symbol, "type": "B", "observed_at": at.isoformat(), **legs} for at in moments]


async def show_gap(running: RunningStack, gap: Decimal, market: Market = SOL) -> None:
    """Holds both venues' prices, the dear one's above the other's by that fraction, until another gap is shown."""
    for venue, mid in ((market.cheap, market.mid), (market.dear, market.mid * (1 + gap))):
        command = {"symbol": market.symbol, "mid": f"{mid:f}"}
        (await running.http.post(f"{running.stack.venue(venue).url}/control/price", json=command)).raise_for_status()


async def open_trade(running: RunningStack, symbol: str = SOL.symbol) -> int:
    """Waits for the trade; its signal's id."""
    path = f"/api/live_trading/signals?status=open&symbol={symbol}"
    what = f"the trade in {symbol} is open"
    found: dict[str, Any] = await eventually(what, lambda: running.first(path), within_seconds=60)
    return int(found["id"])


async def entered(running: RunningStack, signal_id: int, entries: int) -> None:
    """Waits until the trade has so many entries."""

    async def has() -> bool:
        return len((await running.trade(signal_id)).filled_entries) >= entries

    await eventually(f"entry {entries} of trade {signal_id}", has, within_seconds=60)


async def finalised(running: RunningStack, signal_id: int) -> Trade:
    """Waits for the trade's end and its final account."""

    async def is_final() -> Trade | None:
        trade = await running.trade(signal_id)
        return trade if trade.signal.finalised_at else None

    return await eventually(f"trade {signal_id} is closed and finalised", is_final, within_seconds=60)


async def everything(running: RunningStack, path: str) -> list[dict[str, Any]]:
    """All items of one of the gateway's lists, oldest first."""
    found: list[dict[str, Any]] = []
    before: int | None = ID_MAX
    while before is not None:
        page = await running.read(f"{path}{'&' if '?' in path else '?'}limit=200&before={before}")
        found += page["items"]
        before = page["next"]
    return found[::-1]


async def judge_rescue(running: RunningStack, trade: Trade, handovers: int) -> list[str]:
    """A sentence for everything that was lost or done twice; empty of a rescue as it should be.

    At a `handover` from one replica to the next two looks may lie closer together than those of one process.
    """
    found = differences([trade], await running.ledgers())
    found += unlike_a_rescue(trade)
    found += with_two_signals(await everything(running, "/api/live_trading/signals"))
    found += _decisions(await everything(running, f"/api/audit?signal_id={trade.signal.id}"))
    assert running.stack.scenario is not None
    settings, speed = running.stack.scenario.settings, running.stack.scenario.clock.speed
    looks = await everything(running, "/api/live_trading/observations?symbol=SOL")
    apart = timedelta(seconds=float(settings["SCANNER_INTERVAL_SEC"]) * speed)
    found += too_close("observations", _by(looks, "long_venue", "observed_at"), apart, handovers)
    samples = await everything(running, f"/api/live_trading/samples?signal_id={trade.signal.id}")
    apart = timedelta(seconds=float(settings["LIVE_TRADING_MONITOR_SEC"]))
    found += too_close("samples", _holds(samples), apart, handovers)
    return found


def unlike_a_rescue(trade: Trade) -> list[str]:
    """A sentence for everything that is otherwise than three entries and a take-profit on both legs, each done once."""
    found = []
    if [entry.status for entry in trade.entries] != ["filled"] * ENTRIES:
        found.append(f"entries: {[(entry.entry, entry.status) for entry in trade.entries]}")
    if trade.signal.close_reason != "take_profit":
        found.append(f"closed for {trade.signal.close_reason}")
    return found + _orders(trade)


def _orders(trade: Trade) -> list[str]:
    wanted = Counter({"open": 2 * ENTRIES, "close": 2})
    made = Counter(order.purpose for order in trade.orders if order.filled_quantity)
    return [] if made == wanted else [f"orders: {dict(made)} instead of {dict(wanted)}"]


def with_two_signals(signals: Sequence[dict[str, Any]]) -> list[str]:
    """The events that were taken up twice."""
    counts = Counter(signal["event_id"] for signal in signals)
    return [f"event {event} has {count} signals" for event, count in counts.items() if count > 1]


def _decisions(audit: Sequence[dict[str, Any]]) -> list[str]:
    steps = Counter(line["decision"] for line in audit if line["decision"] in _ONCE_A_TRADE)
    found = named_twice(audit)
    return found if steps == _ONCE_A_TRADE else [*found, f"steps: {dict(steps)}"]


def named_twice(audit: Sequence[dict[str, Any]]) -> list[str]:
    """What may be decided once and was twice: an attempt by its number, a request by its id."""
    counts = Counter(
        (line["decision"], name)
        for line in audit
        if (name := line["evidence"].get("message_id") or line["evidence"].get("attempt")) is not None
    )
    return [f"decided twice: {name}" for name, count in counts.items() if count > 1]


def _by(rows: Sequence[dict[str, Any]], kind: str, at: str) -> dict[str, list[datetime]]:
    kinds = sorted({row[kind] for row in rows})
    return {one: [datetime.fromisoformat(row[at]) for row in rows if row[kind] == one] for one in kinds}


def _holds(samples: Sequence[dict[str, Any]]) -> dict[str, list[datetime]]:
    """Times of samples that say what the one before said, and ask for nothing."""
    times: dict[str, list[datetime]] = {}
    for number, (key, run) in enumerate(itertools.groupby(samples, lambda one: (one["verdict"], _reason(one)))):
        same = [datetime.fromisoformat(one["sampled_at"]) for one in run if one["evidence"]["request"] is None]
        times[f"{number} {key}"] = same
    return times


def _reason(sample: dict[str, Any]) -> str:
    return str(sample["evidence"]["reason"])


def too_close(what: str, times: dict[str, list[datetime]], apart: timedelta, handovers: int) -> list[str]:
    """Moments of one kind that are less than `apart` from each other, where they are more than handovers explain."""
    close = [
        f"{what} of {kind} only {(after - before).total_seconds():g} s apart at {after}"
        for kind, moments in times.items()
        for before, after in itertools.pairwise(sorted(moments))
        if after - before < apart - _ROUNDING
    ]
    return close if len(close) > 2 * handovers else []
