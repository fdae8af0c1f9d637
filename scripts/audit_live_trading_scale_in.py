"""Prints the scale-in state of live trades, as the gateway knows it, for a quick audit.

    .venv/bin/python scripts/audit_live_trading_scale_in.py --status open

It only reads. Exit codes: 0 when answered, 1 when the gateway cannot be asked, 2 for wrong arguments.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

GATEWAY = "http://127.0.0.1:4002"
STATUSES = ("opening", "open", "closing", "closed")
PAGE_TRADES_MAX = 200
LIMIT_MAX = 10_000
ANSWER_SECONDS_MAX = 10.0

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


class GatewayUnavailable(Exception):
    """The gateway did not answer the question; the text says why in one sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Asks, prints, and returns the exit code."""
    wanted = _parser().parse_args(arguments)
    try:
        trades = fetch_trades(wanted.gateway, wanted.status, wanted.limit)
    except GatewayUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    if wanted.json:
        print(json.dumps(trades, indent=2))
    else:
        print(table(trades) if trades else f"no trade is {wanted.status}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Print the scale-in state of live trades.")
    parser.add_argument("--status", choices=STATUSES, default="open", help="which trades (default: open)")
    parser.add_argument("--limit", type=_limit, default=50, help="at most so many, newest first (default: 50)")
    parser.add_argument("--json", action="store_true", help="everything that the gateway knows, as JSON")
    parser.add_argument("--gateway", type=_address, default=GATEWAY, help=f"its address (default: {GATEWAY})")
    return parser


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LIMIT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is a whole number from 1 to {LIMIT_MAX}")
    return int(text)


def _address(text: str) -> str:
    try:
        address = httpx.URL(text)
    except httpx.InvalidURL:
        address = httpx.URL("")
    if address.scheme not in ("http", "https") or not address.host:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is an address as {GATEWAY}")
    return text.rstrip("/")


def fetch_trades(gateway: str, status: str, limit: int) -> list[dict[str, Any]]:
    """The newest `limit` trades in `status`, page by page.

    Raises:
        GatewayUnavailable: it could not be reached, or answered with something else.
    """
    trades: list[dict[str, Any]] = []
    query: dict[str, str | int] = {"status": status}
    with httpx.Client(base_url=gateway, timeout=ANSWER_SECONDS_MAX, trust_env=False) as http:
        while True:
            query["limit"] = min(limit - len(trades), PAGE_TRADES_MAX)
            page = _page(http, query)
            trades += page["items"]
            if page["next"] is None or len(trades) >= limit:
                return trades
            query["before"] = page["next"]


def _page(http: httpx.Client, query: Mapping[str, str | int]) -> dict[str, Any]:
    try:
        response = http.get("/api/live_trading/scale_in", params=query)
        answer = response.json()
    except httpx.HTTPError as error:
        raise GatewayUnavailable(f"The gateway at {http.base_url} cannot be reached: {error}.") from error
    except ValueError as error:
        raise GatewayUnavailable(f"What answers at {http.base_url} is no gateway.") from error
    if not isinstance(answer, dict) or not {"items", "next"} <= answer.keys():
        said = answer.get("detail", "") if isinstance(answer, dict) else ""
        raise GatewayUnavailable(f"The gateway at {http.base_url} answered {response.status_code}: {said}")
    return answer


def table(trades: Sequence[Mapping[str, Any]]) -> str:
    """The trades as aligned columns under their headings."""
    lines = [HEADINGS, *(_cells(trade) for trade in trades)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _cells(trade: Mapping[str, Any]) -> tuple[str, ...]:
    sample = trade["latest_sample"] or {}
    entries = f"{trade['entries_count']}/{trade['max_entries']}"
    return (
        str(trade["signal_id"]),
        trade["symbol"],
        f"{trade['long_venue']}/{trade['short_venue']}",
        entries if trade["enabled"] else f"{entries} off",
        _percent(trade["entry_spread_pct_first"]),
        _percent(sample.get("exit_spread_pct")),
        _percent(trade["next_trigger_spread_pct"]),
        _time(trade["last_scale_in_at"]),
        _percent(trade["take_profit_pnl"]),
        _percent(trade["tp_exit_spread_pct"]),
        _time(trade["force_close_at"]),
    )


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{fraction:.3%}"


def _time(text: str | None) -> str:
    return "-" if text is None else f"{text[:10]} {text[11:19]}Z"


if __name__ == "__main__":
    sys.exit(main())
