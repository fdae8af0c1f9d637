"""`tandem trades`: signals and what became of them."""

from typing import Annotated, Any

import typer

from operator_cli.options import DEFAULT_GATEWAY, AsJson, GatewayAddress, Limit, TokenFile, completing, connect, one_of
from operator_cli.printing import Page, minute, pair, percent, show_json, usdt, words

STATUSES = ("new", "skipped", "expired", "opening", "open", "closing", "closed", "failed")
STATUS = typer.Option(
    parser=one_of(STATUSES), autocompletion=completing(STATUSES), metavar="STATUS", help=f"Only {', '.join(STATUSES)}."
)


def trades(
    status: Annotated[str | None, STATUS] = None,
    symbol: Annotated[str | None, typer.Option(metavar="SYMBOL", help="Only this one, as SOL.")] = None,
    limit: Limit = 20,
    gateway: GatewayAddress = DEFAULT_GATEWAY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Signals and trades, newest first: skipped, open and closed ones."""
    query = {"status": status, "symbol": symbol}
    with connect(gateway, token_file) as asked:
        found = asked.pages("/api/live_trading/signals", query, limit)
    if as_json:
        show_json(found)
    elif found:
        headings = ("id", "symbol", "long/short", "at", "spread", "net USDT", "status")
        Page().table(headings, [_row(trade) for trade in found])
    else:
        Page().say("No such trade.")


def _row(trade: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(trade["id"]),
        trade["symbol"],
        pair(trade),
        minute(trade["opened_at"] or trade["created_at"]),
        percent(trade["entry_spread_pct_first"]),
        usdt(trade["net_pnl_usdt"]),
        _status(trade),
    )


def _status(trade: dict[str, Any]) -> str:
    why = trade["close_reason"] or trade["reason"]
    return f"{trade['status']}: {words(why)}" if why else str(trade["status"])
