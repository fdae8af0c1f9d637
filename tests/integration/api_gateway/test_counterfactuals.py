"""What skipped signals would have made, as pages and by the reason of the skip."""

from datetime import timedelta
from decimal import Decimal

from support.ledger_rows import NOON, LedgerRows

from .conftest import Gateway

PATH = "/api/live_trading/counterfactuals"


async def fill(rows: LedgerRows) -> list[int]:
    """Three complete ones below the threshold, an incomplete one, one that was traded, and one that had no books."""
    earned = [Decimal(pnl) for pnl in ("1.5", "-0.25", "0.75")]
    made = [await rows.counterfactual(await rows.signal(), exit_pnl_usdt=pnl) for pnl in earned]
    made.append(await rows.counterfactual(await rows.signal(), exit_pnl_usdt=Decimal(99), complete=False))
    made.append(await rows.counterfactual(await rows.signal(), status="opened", complete=False, exit_pnl_usdt=None))
    nothing = {"status": "no_entry", "complete": False, "exit_pnl_usdt": None, "reason": "insufficient_depth"}
    late = NOON + timedelta(hours=1)
    made.append(await rows.counterfactual(await rows.signal(), skipped_at=late, long_venue="okx", **nothing))
    return made


async def test_pages_and_filters(gateway: Gateway, rows: LedgerRows) -> None:
    made = await fill(rows)
    first = (await gateway.http.get(PATH, params={"limit": 4})).json()
    second = (await gateway.http.get(PATH, params={"limit": 4, "before": first["next"]})).json()
    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]
    assert second["next"] is None
    assert first["items"][-1]["exit_pnl_usdt"] == "0.75"
    assert first["items"][0]["exit_pnl_usdt"] is None
    for filters, count in (
        ({"reason": "below_threshold"}, 5),
        ({"status": "opened"}, 1),
        ({"venue": "okx"}, 1),
        ({"symbol": "BTC"}, 0),
        ({"to": "2025-10-10T12:30:00Z"}, 5),
    ):
        assert len((await gateway.http.get(PATH, params=filters)).json()["items"]) == count, filters
    assert (await gateway.http.get(PATH, params={"reasn": "x"})).status_code == 422


async def test_the_summary_counts_only_what_is_known(gateway: Gateway, rows: LedgerRows) -> None:
    await fill(rows)
    answer = await gateway.http.get(f"{PATH}/summary")
    assert answer.json()["items"] == [
        {
            "reason": "below_threshold",
            "count": 4,
            "complete_count": 3,
            "won_share": 2 / 3,
            "median_pnl_usdt": "0.75",
        },
        {
            "reason": "insufficient_depth",
            "count": 1,
            "complete_count": 0,
            "won_share": None,
            "median_pnl_usdt": None,
        },
    ]
    tag = answer.headers["etag"]
    assert (await gateway.http.get(f"{PATH}/summary", headers={"If-None-Match": tag})).status_code == 304
    later = (await gateway.http.get(f"{PATH}/summary", params={"from": "2025-10-10T12:30:00Z"})).json()
    assert [item["reason"] for item in later["items"]] == ["insufficient_depth"]
