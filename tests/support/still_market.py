"""Venues that list the same contract many times, as text of a scenario file: for runs that trade a lot at once."""

from collections.abc import Sequence

_VENUE = """
[venues.{name}]
protocol = "{name}"
taker_fee = 0.0005
balance_usdt = 1_000_000
"""

_INSTRUMENT = """
[venues.{name}.instruments.{symbol}]
price_tick = 0.01
quantity_step = 0.1
quantity_min = 0.1
notional_min = {notional_min}
max_leverage = 50
funding_interval_hours = 8
book = {{ half_spread_bps = 1, levels = 20, step_bps = 1, notional_per_level_usdt = 20_000 }}
path = [{path}]
funding = [[{funded_at}, 0.0001]]
"""


def venue_text(name: str, symbols: Sequence[str], path: str, funded_at: str, notional_min: str = "5") -> str:
    """A venue that lists `symbols` at the prices of `path` (`[time, price], ...`); funding settles at `funded_at`."""
    listed = (
        _INSTRUMENT.format(name=name, symbol=symbol, path=path, funded_at=funded_at, notional_min=notional_min)
        for symbol in symbols
    )
    return _VENUE.format(name=name) + "".join(listed)
