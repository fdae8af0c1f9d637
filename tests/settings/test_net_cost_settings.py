"""The settings of the funding filter `net_cost`, and of merging switched off."""

from datetime import timedelta

from support.service_group import ServiceGroup

SERVICES = ("signal_ingest",)
SPEED = 1.0
SETTINGS = {
    "WATCHLIST_TYPEB_FUNDING_NET_COST_MAX": "0.0003",
    "WATCHLIST_TYPEB_FUNDING_NET_COST_HORIZON_H": "24",
    "WATCHLIST_EVENT_MERGE": "0",
}


async def verdict(group: ServiceGroup, long_rate: float, *, settles_in_hours: float) -> str | None:
    """Why an observation with this rate on its long leg, and none on the short one, is refused."""
    next_at = (group.clock.now() + timedelta(hours=settles_in_hours)).isoformat()
    long = {"funding_rate": long_rate, "next_funding_at": next_at}
    short = {"funding_rate": 0.0, "next_funding_at": next_at}
    refusal: str | None = (await group.post(group.symbol(), long, short))["refusal"]
    return refusal


async def test_net_cost_max_refuses_a_cost_that_the_default_would_bear(group: ServiceGroup) -> None:
    # Three settlements within the horizon.
    assert await verdict(group, 0.00011, settles_in_hours=1) == "funding_net_cost"
    assert await verdict(group, 0.00009, settles_in_hours=1) is None


async def test_net_cost_horizon_counts_settlements_that_the_default_does_not_see(group: ServiceGroup) -> None:
    assert await verdict(group, 0.002, settles_in_hours=23) == "funding_net_cost"
    assert await verdict(group, 0.002, settles_in_hours=25) is None


async def test_event_merge_0_makes_an_event_of_every_observation(group: ServiceGroup) -> None:
    symbol = group.symbol()
    told = [await group.post(symbol) for _ in range(3)]
    assert len({answer["event_id"] for answer in told}) == 3
    assert {(answer["event_status"], answer["version"]) for answer in told} == {("open", 1)}
