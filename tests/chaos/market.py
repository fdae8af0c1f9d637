"""A still market with a gap on many symbols, and the settings under which the services are ended in it.

Market time starts two minutes before a funding settlement, so that early trades have a payment in their accounts.
"""

from datetime import UTC, datetime
from pathlib import Path

from support.still_market import venue_text

LONG_VENUE, SHORT_VENUE = "bybit", "binance"
LONG_PRICE = 100
GAP_PRICE, WIDE_GAP_PRICE, NO_GAP_PRICE = 102, 104, 100
"""Of the dear venue: a gap to trade, one at which the second entry is due, and one at which the profit is taken."""

SYMBOLS = tuple(f"X{number:03}" for number in range(100))
MAX_ENTRIES = 2
PER_LEG_USDT = 50
FUNDED_AT = datetime(2025, 10, 10, 16, tzinfo=UTC)
"""On the grid of the contracts' eight hours: the venues settle then, and not again while the market lasts."""

_HEAD = f"""
title = "A still market for ending processes"
story = "Every symbol is dearer on {SHORT_VENUE} until the test says otherwise."

[clock]
starts_at = 2025-10-10T15:58:00Z
ends_at = 2025-10-10T21:00:00Z
speed = 6

[settings]
LIVE_TRADING_MODE = "live"
LIVE_TRADING_CONFIRM_LIVE = "yes"
LIVE_TRADING_ALLOWED_EXCHANGES = "{LONG_VENUE},{SHORT_VENUE}"
LIVE_TRADING_MAX_CONCURRENT = "1000"
LIVE_TRADING_PER_LEG_USDT = "{PER_LEG_USDT}"
LIVE_TRADING_OB_CONFIRM_SAMPLES = "1"
LIVE_TRADING_OB_CONFIRM_SLEEP_SEC = "0"
LIVE_TRADING_SCALE_IN_MAX_ENTRIES = "{MAX_ENTRIES}"
LIVE_TRADING_SCALE_IN_MIN_INTERVAL_MIN = "0"
WATCHLIST_COOLDOWN_MIN = "1"
SCANNER_ENABLED = "0"
EXECUTOR_UNWINDS_PER_HOUR_MAX = "0"
EXECUTOR_CLOCK_OFFSET_MAX_SEC = "0"
"""


def write_scenario(path: Path) -> Path:
    """Writes the file and returns its path."""
    text = _HEAD
    for name, price in ((SHORT_VENUE, GAP_PRICE), (LONG_VENUE, LONG_PRICE)):
        text += venue_text(name, SYMBOLS, f"[2025-10-10T12:00:00Z, {price}]", FUNDED_AT.isoformat())
    path.write_text(text)
    return path


def observation(symbol: str, long_venue: str, short_venue: str) -> dict[str, object]:
    """A triggered observation with the caller's own prediction."""
    return {
        "symbol": symbol,
        "type": "B",
        "long": {
            "venue": long_venue,
            "price": str(LONG_PRICE),
            "funding_rate": 0.0001,
            "funding_interval_hours": 8,
        },
        "short": {
            "venue": short_venue,
            "price": str(GAP_PRICE),
            "funding_rate": 0.0001,
            "funding_interval_hours": 8,
        },
        "pnl_hat": 0.012,
        "win_prob": 0.95,
    }
