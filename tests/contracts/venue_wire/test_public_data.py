"""What ccxt reads of a venue without a key: the same cases for every protocol."""

import json
import re
import time
from datetime import UTC, datetime

import ccxt
import pytest

from .conftest import Wire


async def test_markets_carry_the_lot_rules(wire: Wire) -> None:
    market = wire.client.market(wire.sol)
    size = wire.spoken.contract_size
    assert (market["precision"]["amount"] * size, market["precision"]["price"]) == (0.1, 0.01)
    if wire.protocol != "hyperliquid":  # whose least quantity is its lot step
        assert market["limits"]["amount"]["min"] * size == 0.1
    assert market["limits"]["cost"]["min"] == wire.spoken.notional_min
    assert market["active"]
    assert market["swap"]
    assert market["linear"]
    assert market["contractSize"] == size


async def test_book_is_shaped_around_the_mid(wire: Wire) -> None:
    book = await wire.client.fetch_order_book(wire.sol, 50)
    best_bid, best_ask = book["bids"][0], book["asks"][0]
    size = wire.spoken.contract_size
    assert (best_bid[0], best_bid[1] * size) == (199.98, 50.0)
    assert (best_ask[0], best_ask[1] * size) == (200.02, pytest.approx(49.9))
    assert len(book["bids"]) == len(book["asks"]) == 5


async def test_book_shows_the_price_as_it_moves(wire: Wire) -> None:
    before = await wire.raw_book(wire.spoken.sol)
    wire.simulated.venue.override_mid("SOL", wire.simulated.venue.mid("SOL") * 2)
    after = await wire.raw_book(wire.spoken.sol)
    assert "399.96" in json.dumps(after)
    for update_id in {"lastUpdateId", "u"} & (set(before) | set(before.get("result") or {})):
        assert int((after.get("result") or after)[update_id]) > int((before.get("result") or before)[update_id])


async def test_best_prices_of_all_symbols_come_in_one_request(wire: Wire) -> None:
    tickers = await getattr(wire.client, wire.spoken.best_prices)()
    assert {symbol: ticker["bid"] for symbol, ticker in tickers.items()} == {wire.sol: 199.98, wire.eth: 3999.6}
    assert tickers[wire.sol]["ask"] == 200.02


async def test_tickers_carry_a_last_price(wire: Wire) -> None:
    tickers = await wire.client.fetch_tickers([wire.sol, wire.eth])
    assert tickers[wire.sol]["last"] == 200.0


async def test_funding_rate_names_the_next_settlement(wire: Wire) -> None:
    if wire.protocol == "hyperliquid":
        pytest.skip("ccxt takes the next full hour of this machine")
    rates = await getattr(wire.client, wire.spoken.funding_rates)([wire.sol])
    assert rates[wire.sol]["fundingRate"] == 0.0001
    next_time = datetime.fromtimestamp(rates[wire.sol]["fundingTimestamp"] / 1000, UTC)
    assert next_time == datetime(2025, 10, 10, 16, tzinfo=UTC)


async def test_funding_interval_can_be_read(wire: Wire) -> None:
    if wire.protocol == "hyperliquid":
        pytest.skip("ccxt takes an hour for granted")
    read = getattr(wire.client, wire.spoken.funding_intervals)
    assert (await read([wire.sol]))[wire.sol]["interval"] == "8h"


async def test_settled_funding_rates_are_listed(wire: Wire) -> None:
    wire.simulated.clock.moment = datetime(2025, 10, 10, 17, tzinfo=UTC)
    since = int(datetime(2025, 10, 10, tzinfo=UTC).timestamp() * 1000)
    history = await wire.client.fetch_funding_rate_history(wire.sol, since if wire.protocol == "hyperliquid" else None)
    assert history[-1]["fundingRate"] == 0.0001
    assert history[-1]["timestamp"] == datetime(2025, 10, 10, 16, tzinfo=UTC).timestamp() * 1000


async def test_server_time_is_the_real_time(wire: Wire) -> None:
    assert await wire.client.fetch_time() == pytest.approx(time.time() * 1000, abs=2000)


async def test_unknown_symbol_has_the_venues_own_code(wire: Wire) -> None:
    with pytest.raises(ccxt.BaseError, match=wire.code("unknown_symbol")):
        await wire.raw_book(wire.spoken.nope)


async def test_unknown_path_is_not_found(wire: Wire) -> None:
    response = await wire.client.session.get(f"{wire.simulated.url}/v9/nothing")
    assert response.status == 404
    assert re.search(wire.code("unknown_path"), await response.text())
