"""A still market with a wide gap on many symbols, written as a scenario file for the embedded stack."""

from collections.abc import Sequence
from pathlib import Path

from local_stack.venue_choice import ON_VENUE
from support.still_market import venue_text

SYMBOLS = [f"X{number:03}" for number in range(240)]
MOVING_SPEED = 10
FUNDED_AT = "2025-10-10T16:00:00Z"

_HEAD = """
title = "A still market for measuring"
story = "Every symbol is 2 % dearer on binance than on bybit, for ever."

[clock]
starts_at = 2025-10-10T12:00:00Z
ends_at = 2025-10-10T14:00:00Z
speed = 1

[settings]
LIVE_TRADING_MODE = "live"
LIVE_TRADING_CONFIRM_LIVE = "yes"
LIVE_TRADING_ALLOWED_EXCHANGES = "binance,bybit"
LIVE_TRADING_MAX_CONCURRENT = "1000"
LIVE_TRADING_OB_CONFIRM_SAMPLES = "1"
LIVE_TRADING_OB_CONFIRM_SLEEP_SEC = "0"
SCANNER_ENABLED = "0"
WATCHLIST_EVENT_MERGE = "0"
"""


def write_scenario(path: Path) -> Path:
    """Writes the file and returns its path."""
    text = _HEAD
    for name, price in (("binance", 102), ("bybit", 100)):
        text += _venue(name, SYMBOLS, f"[2025-10-10T12:00:00Z, {price}]")
    path.write_text(text)
    return path


def write_moving_scenario(path: Path, venues: Sequence[str], symbols: Sequence[str]) -> Path:
    """Every book of every venue is another one each market second, a tenth of a real one."""
    points = ", ".join(f"[2025-10-10T{12 + hour}:00:00Z, {100 + hour}]" for hour in range(3))
    text = _HEAD.replace("speed = 1\n", f"speed = {MOVING_SPEED}\n")
    for name in venues:
        text += _venue(name, symbols, points)
    path.write_text(text)
    return path


def _venue(name: str, symbols: Sequence[str], points: str) -> str:
    return venue_text(name, symbols, points, FUNDED_AT, ON_VENUE[name].notional_min_usdt or "5")
