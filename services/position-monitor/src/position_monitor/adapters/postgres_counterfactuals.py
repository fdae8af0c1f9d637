"""Counterfactuals in Postgres: one row a signal, which is also all that a restart needs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from common.domain.identifiers import Leg
from common.domain.spread import take_profit_pnl
from common.persistence.database import Pool
from position_monitor.domain.counterfactual import Counterfactual, Mark, Skipped

FOUND_MAX = 100

_FOUND = """
SELECT signal.id, signal.symbol, signal.long_venue, signal.short_venue, signal.reason, signal.created_at,
    signal.pnl_hat, coalesce(abs((event.last_observation ->> 'spread')::float), 0) AS width
FROM watchlist.live_trade_signal AS signal
LEFT JOIN watchlist.watch_signal_event AS event ON event.id = signal.event_id
WHERE signal.created_at > $1 AND signal.type = 'B' AND signal.status IN ('skipped', 'expired')
    AND NOT EXISTS (SELECT FROM watchlist.live_trade_counterfactual WHERE signal_id = signal.id)
ORDER BY signal.id DESC LIMIT $2
"""
_OPENED = """
UPDATE watchlist.live_trade_counterfactual AS one SET status = 'opened' FROM watchlist.live_trade_signal AS signal
WHERE one.status = 'followed' AND signal.id = one.signal_id AND signal.status NOT IN ('new', 'skipped', 'expired')
"""
_FOLLOWED = """
SELECT signal_id, symbol, long_venue, short_venue, reason, skipped_at, width, take_profit_pnl, entered_at, quantity,
    long_buy, short_sell, until_at, looked_at, looks, missed_looks, best_at, best_long_sell, best_short_buy,
    best_pnl_usdt, worst_at, worst_long_sell, worst_short_buy, worst_pnl_usdt
FROM watchlist.live_trade_counterfactual WHERE status = 'followed'
"""
_BEGIN = """
INSERT INTO watchlist.live_trade_counterfactual (signal_id, symbol, long_venue, short_venue, reason, skipped_at, width,
    take_profit_pnl, status, exit_reason, entered_at, quantity, long_buy, short_sell, until_at, looked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (signal_id) DO NOTHING
"""
_SAVE = """
UPDATE watchlist.live_trade_counterfactual SET status = $2, looked_at = $3, looks = $4, missed_looks = $5,
    best_at = $6, best_long_sell = $7, best_short_buy = $8, best_pnl_usdt = $9,
    worst_at = $10, worst_long_sell = $11, worst_short_buy = $12, worst_pnl_usdt = $13,
    exit_at = $14, exit_long_sell = $15, exit_short_buy = $16, exit_pnl_usdt = $17, exit_reason = $18, complete = $19
WHERE signal_id = $1 AND status = 'followed'
"""
_DISPLACE = """
UPDATE watchlist.live_trade_counterfactual SET status = 'displaced' WHERE signal_id = $1 AND status = 'followed'
"""


class PostgresCounterfactuals:
    """See `application.counterfactuals.CounterfactualStore`. `take_profit_ratio` is the setting's."""

    def __init__(self, pool: Pool, take_profit_ratio: float) -> None:
        self._pool = pool
        self._take_profit_ratio = take_profit_ratio

    async def found(self, since: datetime) -> Sequence[Skipped]:
        return [
            Skipped(
                signal_id=row["id"],
                symbol=row["symbol"],
                venues={Leg.LONG: row["long_venue"], Leg.SHORT: row["short_venue"]},
                reason=row["reason"] or "unknown",
                skipped_at=row["created_at"],
                width=row["width"],
                take_profit_pnl=self._take_profit(row["pnl_hat"]),
            )
            for row in await self._pool.fetch(_FOUND, since, FOUND_MAX)
        ]

    async def followed(self) -> Sequence[Counterfactual]:
        await self._pool.execute(_OPENED)
        return [_counterfactual(row) for row in await self._pool.fetch(_FOLLOWED)]

    async def begin(self, one: Counterfactual) -> None:
        entry = (one.entered_at, one.quantity, one.long_buy, one.short_sell, one.until, one.looked_at)
        await self._pool.execute(_BEGIN, *_signal(one.skipped), "followed", None, *entry)

    async def refuse(self, skipped: Skipped, why: str) -> None:
        nothing = (None,) * 6
        await self._pool.execute(_BEGIN, *_signal(skipped), "no_entry", why, *nothing)

    async def save(self, one: Counterfactual) -> None:
        await self._pool.execute(
            _SAVE,
            one.skipped.signal_id,
            "over" if one.is_over else "followed",
            one.looked_at,
            one.looks,
            one.missed,
            *_mark(one.best),
            *_mark(one.worst),
            *_mark(one.exit),
            one.exit_reason,
            one.is_complete,
        )

    async def displace(self, one: Counterfactual) -> None:
        await self._pool.execute(_DISPLACE, one.skipped.signal_id)

    def _take_profit(self, pnl_hat: float | None) -> float | None:
        return None if pnl_hat is None else take_profit_pnl(self._take_profit_ratio, pnl_hat)


def _signal(skipped: Skipped) -> tuple[object, ...]:
    return (
        skipped.signal_id,
        skipped.symbol,
        skipped.venues[Leg.LONG],
        skipped.venues[Leg.SHORT],
        skipped.reason,
        skipped.skipped_at,
        skipped.width,
        skipped.take_profit_pnl,
    )


def _mark(mark: Mark | None) -> tuple[object, ...]:
    return (None,) * 4 if mark is None else (mark.at, mark.long_sell, mark.short_buy, mark.net_pnl_usdt)


def _read_mark(row: Mapping[str, Any], name: str) -> Mark | None:
    if row[f"{name}_at"] is None:
        return None
    return Mark(*(row[f"{name}_{column}"] for column in ("at", "long_sell", "short_buy", "pnl_usdt")))


def _counterfactual(row: Mapping[str, Any]) -> Counterfactual:
    return Counterfactual(
        skipped=Skipped(
            signal_id=row["signal_id"],
            symbol=row["symbol"],
            venues={Leg.LONG: row["long_venue"], Leg.SHORT: row["short_venue"]},
            reason=row["reason"],
            skipped_at=row["skipped_at"],
            width=row["width"],
            take_profit_pnl=row["take_profit_pnl"],
        ),
        entered_at=row["entered_at"],
        quantity=row["quantity"],
        long_buy=row["long_buy"],
        short_sell=row["short_sell"],
        until=row["until_at"],
        looked_at=row["looked_at"],
        looks=row["looks"],
        missed=row["missed_looks"],
        best=_read_mark(row, "best"),
        worst=_read_mark(row, "worst"),
    )
