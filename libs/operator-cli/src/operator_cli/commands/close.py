"""`tandem close`: closes trades now, all of them at once, and waits for what becomes of each."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from operator_cli.exits import CommandFailed, NotYet, WrongUsage
from operator_cli.gateway import Content, Gateway
from operator_cli.options import (
    DEFAULT_GATEWAY,
    ID_MAX,
    AsJson,
    GatewayAddress,
    TokenFile,
    WaitSeconds,
    Who,
    Why,
    Yes,
    asker,
    confirm,
    connect,
    reason,
    whole_number,
)
from operator_cli.printing import Page, moment, show_json

CLOSE_WAIT_SECONDS = 30.0
CLOSABLE = ("open", "closing")
_TRADES_MAX = 10_000
_AT_ONCE_MAX = 16

TradeIds = Annotated[
    list[int] | None,
    typer.Argument(parser=whole_number(1, ID_MAX), metavar="ID", help="Ids of the trades; see `tandem trades`."),
]
All = Annotated[bool, typer.Option("--all", help="Every open trade; asks for a typed confirmation.")]
Wish = dict[str, object]


def close(
    trade_ids: TradeIds = None,
    every: All = False,
    why: Why = None,
    who: Who = None,
    wait: WaitSeconds = CLOSE_WAIT_SECONDS,
    yes: Yes = False,
    gateway: GatewayAddress = DEFAULT_GATEWAY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Close open trades now, both legs of each, with reduce-only orders. Works while trading is halted, too."""
    if bool(trade_ids) == every:
        raise WrongUsage("Say which trades: one ID or more, or --all.")
    wish: Wish = {"who": asker(who), "why": reason(why), "wait_seconds": wait}
    with connect(gateway, token_file) as asked:
        wanted = _all_of(asked, confirmed=yes) if every else list(dict.fromkeys(trade_ids or ()))
        with ThreadPoolExecutor(_AT_ONCE_MAX) as pool:
            outcomes = list(pool.map(lambda trade_id: _close(asked, trade_id, wish, wait), wanted))
    _tell(outcomes, as_json=as_json)


def _all_of(gateway: Gateway, *, confirmed: bool) -> list[int]:
    trades = [
        trade
        for status in CLOSABLE
        for trade in gateway.pages("/api/live_trading/signals", {"status": status}, _TRADES_MAX)
    ]
    if trades and not confirmed:
        named = ", ".join(f"{trade['id']} ({trade['symbol']})" for trade in trades)
        confirm("close all", f"This closes {named}")
    return [trade["id"] for trade in trades]


def _close(gateway: Gateway, trade_id: int, wish: Wish, wait_seconds: float) -> Content | CommandFailed:
    """The outcome of one trade; a failure of one keeps no other from being closed."""
    try:
        path = "/api/live_trading/force_close"
        return gateway.post(path, {"signal_id": trade_id, **wish}, wait_seconds=wait_seconds)
    except CommandFailed as failure:
        return failure


def _tell(outcomes: Sequence[Content | CommandFailed], *, as_json: bool) -> None:
    answered = [outcome for outcome in outcomes if not isinstance(outcome, CommandFailed)]
    if as_json:
        show_json(answered)
    elif not outcomes:
        Page().say("No trade is open.")
    failures = [outcome for outcome in outcomes if isinstance(outcome, CommandFailed)]
    for outcome in answered:
        trade = outcome["trade"]
        if trade["status"] != "closed":
            failures.append(_not_yet(outcome))
        elif not as_json:
            closed = f"Trade {trade['signal_id']} ({trade['symbol']}) is closed: both venues were flat at"
            Page().say(f"{closed} {moment(trade['closed_at'])}.")
    if failures:
        raise _together(failures)


def _not_yet(outcome: Content) -> NotYet:
    trade = outcome["trade"]
    return NotYet(
        f"Asked to close trade {trade['signal_id']} ({outcome['request_id']}), but it is {trade['status']} after "
        f"{outcome['waited_seconds']:g} s: the executor goes on until it is flat; "
        f"see `tandem explain {trade['signal_id']}`."
    )


def _together(failures: Sequence[CommandFailed]) -> CommandFailed:
    """One failure for all: a sentence each, and the exit code of the first that was no mere delay."""
    worst = next((failure for failure in failures if not isinstance(failure, NotYet)), failures[0])
    return type(worst)("\n".join(map(str, failures)))
