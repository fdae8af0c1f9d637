"""Prints the scale-in state of live trades, as the gateway knows it, for a quick audit.

    .venv/bin/python scripts/audit_live_trading_scale_in.py --status open

It only reads. Exit codes: 0 when answered, 1 when the gateway cannot be asked, 2 for wrong arguments. `--gateway` and
the token come from the same variables as those of `tandem`: TANDEM_GATEWAY, TANDEM_TOKEN, TANDEM_TOKEN_FILE.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from operator_cli.exits import CommandFailed, ExitCode
from operator_cli.options import DEFAULT_GATEWAY, LIMIT_MAX, connect, is_gateway_address
from operator_cli.printing import Page, moment, pair, percent, show_json

STATUSES = ("opening", "open", "closing", "closed")

HEADINGS = (
    "trade",
    "symbol",
    "long/short",
    "entries",
    "first spread",
    "spread now",
    "next trigger",
    "last scale-in",
    "TP target",
    "TP exit spread",
    "force close",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Asks, prints, and returns the exit code."""
    wanted = _parser().parse_args(arguments)
    token_file = os.environ.get("TANDEM_TOKEN_FILE")
    try:
        with connect(wanted.gateway, Path(token_file) if token_file else None) as gateway:
            trades = gateway.pages("/api/live_trading/scale_in", {"status": wanted.status}, wanted.limit)
    except CommandFailed as failure:
        print(failure, file=sys.stderr)
        return 2 if failure.exit_code is ExitCode.USAGE else 1
    if wanted.json:
        show_json(trades)
    elif trades:
        Page().table(HEADINGS, [_cells(trade) for trade in trades])
    else:
        print(f"no trade is {wanted.status}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Print the scale-in state of live trades.")
    gateway = os.environ.get("TANDEM_GATEWAY", DEFAULT_GATEWAY)
    parser.add_argument("--status", choices=STATUSES, default="open", help="which trades (default: open)")
    parser.add_argument("--limit", type=_limit, default=50, help="at most so many, newest first (default: 50)")
    parser.add_argument("--json", action="store_true", help="everything that the gateway knows, as JSON")
    parser.add_argument("--gateway", type=_address, default=gateway, help=f"its address (default: {gateway})")
    return parser


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LIMIT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is a whole number from 1 to {LIMIT_MAX}")
    return int(text)


def _address(text: str) -> str:
    if not is_gateway_address(text):
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is an address as {DEFAULT_GATEWAY}")
    return text.rstrip("/")


def _cells(trade: Mapping[str, Any]) -> tuple[str, ...]:
    sample = trade["latest_sample"] or {}
    entries = f"{trade['entries_count']}/{trade['max_entries']}"
    return (
        str(trade["signal_id"]),
        trade["symbol"],
        pair(trade),
        entries if trade["enabled"] else f"{entries} off",
        percent(trade["entry_spread_pct_first"], 3),
        percent(sample.get("exit_spread_pct"), 3),
        percent(trade["next_trigger_spread_pct"], 3),
        moment(trade["last_scale_in_at"]),
        percent(trade["take_profit_pnl"], 3),
        percent(trade["tp_exit_spread_pct"], 3),
        moment(trade["force_close_at"]),
    )


if __name__ == "__main__":
    sys.exit(main())
