"""Recorded markets played through the services' own domain code, against stored and explained expectations.

Each file in `cases/` says what is replayed and assumed; the file of the same name in `expected/` says what came of it,
with a sentence of explanation for every trade. When a rule changes on purpose, write the figures anew and review them
as any other change, above all the explanations, which a person has to bring up to date:

    PYTHONPATH=tests .venv/bin/python -m support.replay_expectations            # or with the names of some cases
    git diff tests/replay/expected
"""

from decimal import Decimal
from itertools import combinations, pairwise

import pytest

from common.domain.identifiers import Leg, Side
from support.market_replay import MarketReplay
from support.recorded_market import RECORDINGS, RecordedMarket, load_case
from support.replay_expectations import case_names, difference, expected_text, explanations_of, play, render
from support.replayed_trades import Replay, ReplayedTrade

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recorded markets are not beside this checkout")

CASES = case_names()
ZERO = Decimal(0)
PLAYED: dict[str, Replay] = {}


async def played(name: str) -> Replay:
    """The replay of that case, run once for all tests."""
    if name not in PLAYED:
        PLAYED[name] = await play(name)
    return PLAYED[name]


async def trade_of(name: str, symbol: str) -> ReplayedTrade:
    (found,) = [trade for trade in (await played(name)).trades if trade.trade.symbol == symbol]
    return found


@pytest.mark.parametrize("name", CASES)
async def test_a_recorded_market_is_traded_as_expected(name: str) -> None:
    expected = expected_text(name)
    changed = difference(expected, render(await played(name), explanations_of(expected)))
    if changed:
        pytest.fail(f"{name} is traded differently; the module's docstring says how to review this\n{changed}")


@pytest.mark.parametrize("name", CASES)
def test_every_expectation_is_explained(name: str) -> None:
    unexplained = [key or "the whole" for key, text in explanations_of(expected_text(name)).items() if not text]
    assert not unexplained


@pytest.mark.parametrize("name", CASES)
async def test_every_trade_ends_flat_and_its_net_pnl_is_what_was_sold_less_what_was_bought(name: str) -> None:
    for replayed in (await played(name)).trades:
        assert not replayed.is_open
        assert [replayed.trade.leg(leg).quantity for leg in Leg] == [0, 0]
        notionals = [(fill.side, fill.price * fill.quantity) for fill in replayed.booked]
        cash = sum((notional if side is Side.SELL else -notional for side, notional in notionals), ZERO)
        fees = sum((fill.fee_usdt or ZERO for fill in replayed.booked), ZERO)
        paid = sum((payment.amount_usdt for payment in replayed.trade.funding), ZERO)
        assert replayed.account.net_pnl_usdt == cash + paid - fees


@pytest.mark.parametrize("name", CASES)
async def test_one_trade_at_a_time_is_open_on_a_symbol(name: str) -> None:
    for first, second in combinations((await played(name)).trades, 2):
        if first.trade.symbol == second.trade.symbol:
            assert first.closed_at is not None
            assert second.trade.opened_at is not None
            assert second.trade.opened_at >= first.closed_at


@pytest.mark.parametrize("name", CASES)
async def test_no_entry_moves_the_target_and_each_one_is_wider_than_the_one_before(name: str) -> None:
    for replayed in (await played(name)).trades:
        assert replayed.trade.take_profit_pnl == pytest.approx(0.7 * replayed.entries[0].pnl_hat)
        assert all(later.spread_pct > earlier.spread_pct for earlier, later in pairwise(replayed.entries))


async def test_the_rescue_earns_where_the_stop_loses() -> None:
    """One market, three settings: stopped at the peak, one entry added, two entries added."""
    nets = [
        (await trade_of(name, "SOL")).account.net_pnl_usdt
        for name in ("e1_crash_stopped", "e1_crash", "e1_crash_rescue")
    ]
    assert nets == sorted(nets)
    assert nets[0] < 0 < nets[1]


async def test_the_funding_filter_refuses_what_the_funding_stop_would_close() -> None:
    filtered, unfiltered = await played("e2_layer"), await played("e2_layer_unfiltered")
    kept, all_of_them = (
        {replayed.trade.opened_at for replayed in replay.trades if replayed.closed_at == replayed.trade.opened_at}
        for replay in (filtered, unfiltered)
    )
    assert not kept
    assert len(all_of_them) == 9


@pytest.mark.parametrize("spread", ["0.01", "0.002"])
async def test_a_calm_market_trades_nothing(spread: str) -> None:
    """At 20 bps the calm market has events, but no reversion that would pay for the fees: still no trade."""
    case = load_case("e9_calm")
    eager = case.model_copy(update={"settings": {**case.settings, "WATCHLIST_TYPEB_SPREAD": spread}})
    replay = await MarketReplay(RecordedMarket(eager)).run()
    assert not replay.trades
    assert {signal.reason for signal in replay.signals} <= {"below_threshold"}
    assert bool(replay.signals) is (spread == "0.002")
