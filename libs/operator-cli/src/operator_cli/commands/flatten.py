"""`tandem flatten`: a venue holds nothing of a symbol any more, in the venue's own words."""

import re
from collections.abc import Callable
from typing import Annotated

import typer

from operator_cli.exits import NotYet, Refused
from operator_cli.gateway import Content, Gateway
from operator_cli.options import (
    DEFAULT_GATEWAY,
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
)
from operator_cli.printing import Page, moment, show_json

FLATTEN_WAIT_SECONDS = 30.0
_NOT_FLAT = frozenset({409})


def _name(pattern: str, allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise typer.BadParameter(f"{text!r}: allowed are {allowed}")
        return text

    return parse


_VENUE = _name(r"[a-z][a-z0-9_]{1,19}", "2 to 20 small letters, digits and _, as bybit")
_SYMBOL = _name(r"[A-Z0-9]{1,20}", "1 to 20 capital letters and digits, as SOL")

Venue = Annotated[str, typer.Argument(parser=_VENUE, metavar="VENUE", help="The venue, as bybit.")]
Symbol = Annotated[str, typer.Argument(parser=_SYMBOL, metavar="SYMBOL", help="The symbol, as SOL.")]
IncludeUnowned = Annotated[
    bool, typer.Option("--include-unowned", help="Also what no trade of Tandem holds: it may be your own position.")
]


def flatten(
    venue: Venue,
    symbol: Symbol,
    include_unowned: IncludeUnowned = False,
    why: Why = None,
    who: Who = None,
    wait: WaitSeconds = FLATTEN_WAIT_SECONDS,
    yes: Yes = False,
    gateway: GatewayAddress = DEFAULT_GATEWAY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Bring what a venue holds of a symbol to zero, with reduce-only orders, and have the venue say so.

    A trade with a leg there is closed as a whole. Asks for a typed confirmation. Works while trading is halted, too.
    """
    wish = {"venue": venue, "symbol": symbol, "include_unowned": include_unowned}
    wish |= {"who": asker(who), "why": reason(why), "wait_seconds": wait}
    with connect(gateway, token_file) as asked:
        if not yes:
            confirm("flatten", _consequence(asked, venue, symbol, include_unowned=include_unowned))
        path = "/api/live_trading/flatten_position"
        outcome = asked.post(path, wish, wait_seconds=wait, statuses=_NOT_FLAT)
    if as_json:
        show_json(outcome)
    _tell(outcome, as_json=as_json)


def _consequence(gateway: Gateway, venue: str, symbol: str, *, include_unowned: bool) -> str:
    positions = gateway.get("/api/live_trading/positions", {"venue": venue, "symbol": symbol})["items"]
    closed = [
        f"This closes trade {position['signal_id']} ({symbol}, {'/'.join(leg['venue'] for leg in position['legs'])})"
        for position in positions
    ]
    does = "; ".join(closed) or f"No trade of Tandem has {symbol} on {venue}"
    if include_unowned:
        return f"{does}; and whatever else {venue} holds of {symbol} is sold or bought back, also if it is your own"
    return f"{does}; what no trade holds is left alone"


def _tell(outcome: Content, *, as_json: bool) -> None:
    state, told = outcome["status"]["state"], outcome["told"]
    if state == "flat":
        if not as_json:
            Page().say(f"Flat: {told}, read at {moment(outcome['status']['evidence']['read_at'])}.")
    elif state in ("asked", "working"):
        raise NotYet(
            f"Asked to flatten ({outcome['request_id']}), but not flat after {outcome['waited_seconds']:g} s: {told}. "
            "Asking again is safe, and tells how it stands."
        )
    else:
        raise Refused(f"Not flat: {told}.")
