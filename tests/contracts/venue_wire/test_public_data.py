"""What ccxt reads of a venue without a key: the same cases for every protocol."""

import json
import re
import time
from datetime import UTC, datetime

import ccxt
import pytest

from .conftest import ETH, SOL, Wire


async def test_markets_carry_the_lot_rules(wire: Wire) -> None:
    market = wire.client.market(SOL)
    size = wire.spoken.contract_size
    assert (market["precision"]["amount"] * size, market["precision"]["price"]) == (0.1, 0.01)
    assert (market["limits"]["amount"]["min"] * size, market["limits"]["cost"]["min"]) == (
        0.1,
        wire.spoken.notional_min,
    )
    assert market["active"]
    assert market["swap"]
    assert market["linear"]
    assert market["contractSize"] == size


async def test_book_is_shaped_around_the_mid(wire: Wire) -> None:
    book = await wire.client.fetch_order_book(SOL, 50)
    best_bid, best_ask = book["bids"][0], book["asks"][0]
    size = wire.spoken.contract_size
    assert (best_bid[0], best_bid[1] * size) == (199.98, 50.0)
    assert (best_ask[0], best_ask[1] * size) == (200.02, pytest.approx(49.9))
    assert len(book["bids"]) == len(book["asks"]) == 5


async def test_book_shows_the_price_as_it_moves(wire: Wire) -> None:
    before = await wire.raw_book(wire.spoken.sol)
    wire.simulated.venue.override_mid("SOL", wire.simulated.venue.mid("SOL") * 2)
    after = await wire.raw_book(wire.spoken.sol)
    assert '"399.96"' in json.dumps(after)
    for update_id in {"lastUpdateId", "u"} & (set(before) | set(before.get("result") or {})):
        assert int((after.get("result") or after)[update_id]) > int((before.get("result") or before)[update_id])


async def test_best_prices_of_all_symbols_come_in_one_request(wire: Wire) -> None:
    tickers = await getattr(wire.client, wire.spoken.best_prices)()
    assert {symbol: ticker["bid"] for symbol, ticker in tickers.items()} == {SOL: 199.98, ETH: 3999.6}
    assert tickers[SOL]["ask"] == 200.02


async def test_tickers_carry_a_last_price(wire: Wire) -> None:
    tickers = await wire.client.fetch_tickers([SOL, ETH])
    assert tickers[SOL]["last"] == 200.0


async def test_funding_rate_names_the_next_settlement(wire: Wire) -> None:
    rates = await wire.client.fetch_funding_rates([SOL])
    assert rates[SOL]["fundingRate"] == 0.0001
    next_time = datetime.fromtimestamp(rates[SOL]["fundingTimestamp"] / 1000, UTC)
    assert next_time == datetime(2025, 10, 10, 16, tzinfo=UTC)


async def test_funding_interval_can_be_read(wire: Wire) -> None:
    client = wire.client
    read = client.fetch_funding_intervals if wire.protocol == "binance" else client.fetch_funding_rates
    assert (await read([SOL]))[SOL]["interval"] == "8h"


async def test_settled_funding_rates_are_listed(wire: Wire) -> None:
    wire.simulated.clock.moment = datetime(2025, 10, 10, 17, tzinfo=UTC)
    history = await wire.client.fetch_funding_rate_history(SOL)
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
