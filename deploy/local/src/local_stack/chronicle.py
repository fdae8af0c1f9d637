"""What is worth telling while the market plays, beside the changes of the signals: the services' own decisions.

It is for the eye: it reads the newest page each time and may miss a line. What a run is judged by is read by name
(`recorded`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local_stack.recorded import Gateway
from local_stack.trades import Signal

_API = "/api/live_trading"
_AUDIT_PAGE = "/api/audit?limit=40"
_OBSERVATIONS_PAGE = f"{_API}/observations?limit=40"
_TOLD_REFUSALS = frozenset({"funding_net_cost", "funding_out_of_range", "funding_unknown", "implausible_spread"})
_TOLD_LIMITS = frozenset({"max_entries", "cooldown", "notional_cap", "no_fresh_signal"})


@dataclass(frozen=True)
class News:
    """One sentence and the market time at which it came true."""

    at: datetime
    what: str


class Chronicle:
    """Remembers what it told."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._last_audit_id = 0
        self._told_refusals: set[tuple[str, ...]] = set()
        self._last_sample_id: dict[int, int] = {}
        self._last_limit: dict[int, str] = {}

    async def news(self, signals: Iterable[Signal]) -> list[News]:
        """What is new since the last time, oldest first."""
        found = await self._decisions()
        found += await self._refused_observations()
        for signal in signals:
            if signal.is_active and signal.entries_count:
                found += await self._limits(signal)
        return sorted(found, key=lambda one: one.at)

    async def _decisions(self) -> list[News]:
        records = (await self._gateway(_AUDIT_PAGE))["items"]
        new = [record for record in records if record["id"] > self._last_audit_id]
        self._last_audit_id = max((record["id"] for record in new), default=self._last_audit_id)
        told = ((record["decided_at"], sentence_of(record)) for record in new)
        return [News(datetime.fromisoformat(at), what) for at, what in told if what]

    async def _refused_observations(self) -> list[News]:
        found = []
        for seen in reversed((await self._gateway(_OBSERVATIONS_PAGE))["items"]):
            legs = [seen["observation"]["long"], seen["observation"]["short"]]
            intervals = [str(leg["funding_interval_hours"]) for leg in legs]
            key = (seen["symbol"], seen["long_venue"], seen["short_venue"], seen["refusal"], *intervals)
            if seen["refusal"] in _TOLD_REFUSALS and key not in self._told_refusals:
                self._told_refusals.add(key)
                what = f"{_gap(seen, seen['spread'])} refused: {seen['refusal']}, {_funding(legs)}"
                found.append(News(datetime.fromisoformat(seen["observed_at"]), what))
        return found

    async def _limits(self, signal: Signal) -> list[News]:
        page = await self._gateway(f"{_API}/samples?signal_id={signal.id}&verdict=hold&limit=10")
        found = []
        new = [sample for sample in page["items"] if sample["id"] > self._last_sample_id.get(signal.id, 0)]
        for sample in reversed(new):
            self._last_sample_id[signal.id] = sample["id"]
            reason, before = sample["evidence"]["reason"], self._last_limit.get(signal.id)
            self._last_limit[signal.id] = reason
            if reason in _TOLD_LIMITS and reason != before:
                what = f"{signal.symbol} no further entry now, {float(sample['exit_spread_pct']):.2%}: {reason}"
                found.append(News(datetime.fromisoformat(sample["sampled_at"]), what))
        return found


def sentence_of(record: dict[str, Any]) -> str | None:
    """The sentence of one decision of the audit; None of one that is told otherwise or not at all."""
    decision, symbol, figures = record["decision"], record["symbol"], record["evidence"]
    name, _, reason = decision.partition(":")
    match name:
        case "event_opened":
            return f"{_gap({**figures, 'symbol': symbol}, figures['spread']['last'])} seen: event {record['event_id']}"
        case "event_closed":
            return f"{symbol} gap is over: event {record['event_id']}, {figures['observations']} observations"
        case "scaled_in":
            return _scale_in_sentence(symbol, figures)
        case "scale_in_refused":
            return f"{symbol} entry refused: {reason}"
        case "take_profit_rejected":
            return f"{symbol} take-profit not confirmed"
        case "funding_interval_changed":
            before, after = float(figures["interval_hours_before"]), float(figures["interval_hours"])
            return f"{symbol} funding on {figures['venue']}: every {before:g} h before, every {after:g} h now"
    return None


def _scale_in_sentence(symbol: str, figures: dict[str, Any]) -> str:
    told = f"{symbol} scaled in: entry {figures['entry']}, {float(figures['entry_spread_pct']):.2%}"
    trigger = figures.get("next_trigger_spread_pct")
    return told if trigger is None else f"{told}, next trigger {float(trigger):.2%}"


def _gap(pair: dict[str, Any], spread: Any) -> str:
    pct = math.expm1(float(spread))
    return f"{pair['symbol']} {pct:.2%} long {pair['long_venue']} / short {pair['short_venue']}"


def _funding(legs: Sequence[dict[str, Any]]) -> str:
    """`binance -2.00% every 1 h` for each leg whose funding was known; how often is left out where nobody said it."""
    known = [leg for leg in legs if leg["funding_rate"] is not None]
    return ", ".join(f"{leg['venue']} {float(leg['funding_rate']):.2%}{_how_often(leg)}" for leg in known)


def _how_often(leg: dict[str, Any]) -> str:
    hours = leg["funding_interval_hours"]
    return "" if hours is None else f" every {float(hours):g} h"
