"""Decisions, refusals and limits are told once each, in words, with the figures that matter."""

from typing import Any

import pytest

from local_stack.chronicle import Chronicle, sentence_of
from local_stack.trades import Signal

AT = "2025-10-10T22:01:00Z"
OPEN = Signal.model_validate(
    {"id": 1, "symbol": "SOL", "long_venue": "bybit", "short_venue": "binance", "status": "open", "entries_count": 2}
)


class Pages:
    """The newest pages of the gateway, as a test sets them; newest first."""

    def __init__(self) -> None:
        self.audit: list[dict[str, Any]] = []
        self.observations: list[dict[str, Any]] = []
        self.samples: list[dict[str, Any]] = []

    async def read(self, path: str) -> dict[str, Any]:
        name = path.partition("?")[0].rpartition("/")[2]
        return {"items": getattr(self, name), "next": None}


def decision(number: int, name: str, **evidence: Any) -> dict[str, Any]:
    return {"id": number, "decided_at": AT, "decision": name, "symbol": "SOL", "event_id": 7, "evidence": evidence}


def refused(interval_hours: int | None) -> dict[str, Any]:
    leg = {"venue": "binance", "funding_rate": -0.02, "funding_interval_hours": interval_hours}
    other = {"venue": "bybit", "funding_rate": None, "funding_interval_hours": None}
    return {
        "symbol": "SOL",
        "long_venue": "bybit",
        "short_venue": "binance",
        "observed_at": AT,
        "spread": 0.0199,
        "refusal": "funding_net_cost",
        "observation": {"long": other, "short": leg},
    }


def held(number: int, reason: str) -> dict[str, Any]:
    return {"id": number, "sampled_at": AT, "exit_spread_pct": 0.0211, "evidence": {"reason": reason}}


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (
            decision(1, "scaled_in", entry=2, entry_spread_pct=0.0166, next_trigger_spread_pct=0.0248),
            "SOL scaled in: entry 2, 1.66%, next trigger 2.48%",
        ),
        (decision(1, "scale_in_refused:cooldown"), "SOL entry refused: cooldown"),
        (decision(1, "take_profit_rejected"), "SOL take-profit not confirmed"),
        (
            decision(1, "funding_interval_changed", venue="binance", interval_hours_before=4.0, interval_hours=1.0),
            "SOL funding on binance: every 4 h before, every 1 h now",
        ),
        (
            decision(1, "event_opened", long_venue="bybit", short_venue="binance", spread={"last": 0.0103}),
            "SOL 1.04% long bybit / short binance seen: event 7",
        ),
        (decision(1, "event_closed", observations=12), "SOL gap is over: event 7, 12 observations"),
        (decision(1, "orders_intended"), None),
    ],
)
def test_a_decision_is_told_in_words(record: dict[str, Any], sentence: str | None) -> None:
    assert sentence_of(record) == sentence


async def told(chronicle: Chronicle) -> list[str]:
    return [news.what for news in await chronicle.news([OPEN])]


async def test_a_decision_is_told_once() -> None:
    pages = Pages()
    chronicle = Chronicle(pages.read)
    pages.audit = [decision(1, "take_profit_rejected")]
    assert await told(chronicle) == ["SOL take-profit not confirmed"]
    pages.audit = [decision(2, "scale_in_refused:cooldown"), *pages.audit]
    assert await told(chronicle) == ["SOL entry refused: cooldown"]
    assert await told(chronicle) == []


async def test_a_refused_gap_is_told_again_when_an_interval_has_changed() -> None:
    pages = Pages()
    chronicle = Chronicle(pages.read)
    pages.observations = [refused(4), refused(4)]
    every_four = "SOL 2.01% long bybit / short binance refused: funding_net_cost, binance -2.00% every 4 h"
    assert await told(chronicle) == [every_four]
    pages.observations = [refused(1), refused(4)]
    assert await told(chronicle) == [every_four.replace("4 h", "1 h")]
    pages.observations = [refused(None), *pages.observations]
    assert await told(chronicle) == [every_four.removesuffix(" every 4 h")]


async def test_a_limit_is_told_when_it_begins_to_hold() -> None:
    pages = Pages()
    chronicle = Chronicle(pages.read)
    pages.samples = [held(2, "cooldown"), held(1, "not_triggered")]
    assert await told(chronicle) == ["SOL no further entry now, 2.11%: cooldown"]
    pages.samples = [held(3, "cooldown"), *pages.samples]
    assert await told(chronicle) == []
