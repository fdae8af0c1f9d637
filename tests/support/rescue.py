"""The rescue of 10 October 2025, step by step, and what would show that a part acted twice.

The market stands at each gap until its entry is made: a slow machine plays the same trade as a fast one.
"""

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from local_stack.reconciliation import differences
from local_stack.trades import Trade
from support.running_stack import RunningStack, eventually

SCENARIO = "oct-10-2025-sol"
ENTRY_GAPS = (Decimal("0.0125"), Decimal("0.021"), Decimal("0.037"))
"""Binance over Bybit as it opened, and as it widened to its peak."""
ENTRIES = len(ENTRY_GAPS)
NO_GAP = Decimal("0.0008")
PAST_MINUTES = 240
BYBIT_MID = Decimal(190)
_ONCE_A_TRADE = Counter({"entry_begun": 1, "opened": 1, "scale_in_begun": 2, "scaled_in": 2, "closing": 1, "closed": 1})
_ROUNDING = timedelta(seconds=2)


async def begin(running: RunningStack) -> None:
    """Tells what the hours before looked like, by which the gap is judged, and starts the market."""
    legs = {"long": {"venue": "bybit", "price": 190}, "short": {"venue": "binance", "price": 190}}
    begins_at = running.stack.market_clock().now()
    past = [begins_at - timedelta(minutes=minute) for minute in range(10, 10 + PAST_MINUTES)]
    looks = [{"symbol": "SOL", "type": "B", "observed_at": at.isoformat(), **legs} for at in past]
    answer = await running.post("/signals/batch", "\n".join(json.dumps(look) for look in looks))
    assert answer.json()["accepted"] == PAST_MINUTES, answer.text
    await show_gap(running, NO_GAP)
    running.stack.start_clock()


async def show_gap(running: RunningStack, gap: Decimal) -> None:
    """Holds both venues' prices, Binance's above Bybit's by that fraction, until another gap is shown."""
    for venue, mid in (("bybit", BYBIT_MID), ("binance", BYBIT_MID * (1 + gap))):
        command = {"symbol": "SOL", "mid": f"{mid:.2f}"}
        (await running.http.post(f"{running.stack.venue(venue).url}/control/price", json=command)).raise_for_status()


async def open_trade(running: RunningStack) -> int:
    """Waits for the trade; its signal's id."""
    path = "/api/live_trading/signals?status=open"
    found: dict[str, Any] = await eventually("the trade is open", lambda: running.first(path), within_seconds=60)
    return int(found["id"])


async def entered(running: RunningStack, signal_id: int, entries: int) -> None:
    """Waits until the trade has so many entries."""

    async def has() -> bool:
        return len((await running.trade(signal_id)).filled_entries) >= entries

    await eventually(f"entry {entries}", has, within_seconds=60)


async def finalised(running: RunningStack, signal_id: int) -> Trade:
    """Waits for the trade's end and its final account."""

    async def is_final() -> Trade | None:
        trade = await running.trade(signal_id)
        return trade if trade.signal.finalised_at else None

    return await eventually("the trade is closed and finalised", is_final, within_seconds=60)


async def everything(running: RunningStack, path: str) -> list[dict[str, Any]]:
    """All items of one of the gateway's lists, oldest first."""
    found: list[dict[str, Any]] = []
    before: int | None = 2**62
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
    if [entry.status for entry in trade.entries] != ["filled"] * ENTRIES:
        found.append(f"entries: {[(entry.entry, entry.status) for entry in trade.entries]}")
    if trade.signal.close_reason != "take_profit":
        found.append(f"closed for {trade.signal.close_reason}")
    found += _orders(trade)
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
