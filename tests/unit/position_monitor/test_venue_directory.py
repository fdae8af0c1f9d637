"""Which venues can be asked: those with an address that this version speaks, connected when first needed."""

from pathlib import Path

from common.runtime.clock import Clock, ReplayClock
from common.runtime.settings import SettingsError
from common.venues.addresses import VenueAddress
from position_monitor.adapters.venue_directory import VenueDirectory
from support.monitor_fakes import SetMarketData
from support.standing_clock import StandingClock
from support.watched_trades import NOW

ADDRESSES = {
    "binance": VenueAddress("binance", "binance", "http://127.0.0.1:1"),
    "bybit": VenueAddress("bybit", "bybit", None),
}


def connect(address: VenueAddress, clock: Clock) -> SetMarketData:
    return SetMarketData(address.name)


async def test_a_venue_is_connected_once_and_closed_at_the_end() -> None:
    directory = VenueDirectory(ADDRESSES, connect, StandingClock(NOW))
    market = directory.market("binance")
    assert isinstance(market, SetMarketData)
    assert directory.market("binance") is market
    await directory.close()
    assert market.closed


def test_a_venue_without_address_cannot_be_asked() -> None:
    assert VenueDirectory(ADDRESSES, connect, StandingClock(NOW)).market("okx") is None


def test_a_replay_never_asks_a_real_venue() -> None:
    replay = VenueDirectory(ADDRESSES, connect, ReplayClock(NOW, 60.0, Path("never")))
    assert replay.market("bybit") is None
    assert replay.market("binance") is not None


async def test_a_protocol_that_is_not_spoken_leaves_the_service_running() -> None:
    def refuse(address: VenueAddress, clock: Clock) -> SetMarketData:
        raise SettingsError("not spoken")

    directory = VenueDirectory(ADDRESSES, refuse, StandingClock(NOW))
    assert directory.market("binance") is None
    await directory.close()
