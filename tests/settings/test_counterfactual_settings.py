"""position-monitor's own settings of what skipped signals would have made."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from support.service_group import ServiceGroup

SERVICES = ("signal_ingest", "executor", "position_monitor")
SPEED = 30.0
SETTINGS = {
    "MONITOR_COUNTERFACTUALS_MAX": "1",
    "MONITOR_COUNTERFACTUAL_HORIZON_H": "2",
    "MONITOR_COUNTERFACTUAL_TAKER_FEE": "0.01",
}


async def skip(group: ServiceGroup, short: str) -> int:
    """A signal of a fresh symbol that promises too little, and its id."""
    symbol = group.symbol()
    await group.gap(symbol, "100", short)
    await group.post(symbol, "100", short, pnl_hat=0.001)
    signal = await group.signal(symbol, "skipped")
    return int(signal["id"])


async def counterfactual(group: ServiceGroup, signal_id: int, status: str, looks: int = 0) -> dict[str, Any]:
    """What is known of a skipped signal once it has that status and was looked at so often."""
    sql = "SELECT * FROM watchlist.live_trade_counterfactual WHERE signal_id = $1"
    found: dict[str, Any] = {}

    async def look() -> dict[str, Any] | None:
        found.update(await group.rows.pool.fetchrow(sql, signal_id) or {})
        return found if found.get("status") == status and found["looks"] >= looks else None

    return await group.until(look, lambda: f"signal {signal_id} is not {status} but {found}")


async def test_one_place_two_hours_and_a_dear_fee(group: ServiceGroup) -> None:
    narrow = await skip(group, "102")
    await counterfactual(group, narrow, "followed")
    wide = await skip(group, "104")
    await counterfactual(group, narrow, "displaced")
    one = await counterfactual(group, wide, "followed", looks=1)
    assert one["until_at"] - one["entered_at"] == timedelta(hours=2)
    bought, sold = one["long_buy"] + one["best_short_buy"], one["short_sell"] + one["best_long_sell"]
    figure = one["quantity"] * (sold - bought - (sold + bought) * Decimal("0.01"))
    assert round(one["best_pnl_usdt"], 12) == round(figure, 12)
