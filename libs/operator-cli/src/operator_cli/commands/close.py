"""`tandem close`: closes one trade now, and waits for what becomes of it."""

from operator_cli.exits import NotYet
from operator_cli.options import (
    DEFAULT_GATEWAY,
    AsJson,
    GatewayAddress,
    TokenFile,
    TradeId,
    WaitSeconds,
    Who,
    Why,
    asker,
    connect,
    reason,
)
from operator_cli.printing import Page, moment, show_json

CLOSE_WAIT_SECONDS = 30.0


def close(
    trade_id: TradeId,
    why: Why = None,
    who: Who = None,
    wait: WaitSeconds = CLOSE_WAIT_SECONDS,
    gateway: GatewayAddress = DEFAULT_GATEWAY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Close one open trade now, both legs, with reduce-only orders. Works while trading is halted, too."""
    wish = {"signal_id": trade_id, "who": asker(who), "why": reason(why), "wait_seconds": wait}
    with connect(gateway, token_file) as asked:
        outcome = asked.post("/api/live_trading/force_close", wish, wait_seconds=wait)
    if as_json:
        show_json(outcome)
    trade = outcome["trade"]
    if trade["status"] != "closed":
        raise NotYet(
            f"Asked to close trade {trade_id} ({outcome['request_id']}), but it is {trade['status']} after "
            f"{outcome['waited_seconds']:g} s: the executor goes on until it is flat; see `tandem explain {trade_id}`."
        )
    if not as_json:
        closed = f"Trade {trade_id} ({trade['symbol']}) is closed: both venues were flat at"
        Page().say(f"{closed} {moment(trade['closed_at'])}.")
