"""VENUE_STREAMS through the running services."""

from support.service_group import ServiceGroup

SERVICES = ("signal_ingest", "executor", "position_monitor")
SPEED = 30.0
SETTINGS = {
    "VENUE_STREAMS": "0",
    "LIVE_TRADING_SCALE_IN_ENABLED": "0",
}


async def test_without_streams_a_trade_opens_and_closes_on_what_was_asked_for(
    group: ServiceGroup,
) -> None:
    symbol = group.symbol()
    await group.open_trade(symbol)
    await group.gap(symbol, "101", "101")
    await group.signal(symbol, "closed")
    for service in ("executor", "position_monitor"):
        shown = (await group.get(service, "/settings"))["settings"]["VENUE_STREAMS"]
        assert shown == {"value": False, "source": "environment"}
        metrics = (await group.http.get(f"{group.service_urls[service]}/metrics")).text
        assert "tandem_venue_request_seconds_count{" in metrics
        assert "tandem_books_read_total{" not in metrics
        assert "tandem_order_stream_up{" not in metrics
    assert all(len(venue.venue.book_shown) == 0 for venue in group.venues.values())
