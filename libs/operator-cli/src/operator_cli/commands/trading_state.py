"""`tandem halt`, `reduce` and `resume`: what trading is allowed to do."""

from collections.abc import Callable

from operator_cli.exits import NotYet
from operator_cli.gateway import Gateway
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

WAIT_SECONDS = 10.0


def _stopping(state: str, summary: str) -> Callable[..., None]:
    """A command that takes something away from trading, and so needs no confirmation."""

    def move(
        why: Why = None,
        who: Who = None,
        wait: WaitSeconds = WAIT_SECONDS,
        gateway: GatewayAddress = DEFAULT_GATEWAY,
        token_file: TokenFile = None,
        as_json: AsJson = False,
    ) -> None:
        wanted_why, wanted_who = reason(why), asker(who)
        with connect(gateway, token_file) as asked:
            _move(asked, state, wanted_who, wanted_why, wait, as_json=as_json)

    move.__doc__ = summary
    return move


halt = _stopping(
    "halted", "Stop all trading: nothing opens, and only an operator closes (a stray leg is still taken back)."
)
reduce = _stopping("reducing", "Open nothing more; open trades are still closed by their own rules.")


def resume(
    why: Why = None,
    who: Who = None,
    wait: WaitSeconds = WAIT_SECONDS,
    yes: Yes = False,
    gateway: GatewayAddress = DEFAULT_GATEWAY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Let Tandem open trades again; asks for a typed confirmation."""
    wanted_why, wanted_who = reason(why), asker(who)
    with connect(gateway, token_file) as asked:
        if not yes:
            confirm("resume", f"{_now(asked)} Resuming lets it open trades again")
        _move(asked, "active", wanted_who, wanted_why, wait, as_json=as_json)


def _now(gateway: Gateway) -> str:
    state = gateway.get("/api/live_trading/overview", {"limit": 1})["trading_state"]
    return f"Trading is {state['state']}, set by {state['changed_by']}: {state['reason']}."


def _move(gateway: Gateway, state: str, who: str, why: str, wait_seconds: float, *, as_json: bool) -> None:
    wish = {"state": state, "who": who, "why": why, "wait_seconds": wait_seconds}
    change = gateway.post("/api/live_trading/trading_state", wish, wait_seconds=wait_seconds)
    if as_json:
        show_json(change)
    stored = change["trading_state"]
    if stored is None or stored["state"] != state:
        now = "its state is not known" if stored is None else f"trading is still {stored['state']}"
        raise NotYet(
            f"Asked for {state} ({change['request_id']}), but {now} after {change['waited_seconds']:g} s: "
            "the executor does it as soon as it can; see `tandem status`."
        )
    if not as_json:
        Page().say(f"Trading is {state}, set by {stored['changed_by']} at {moment(stored['changed_at'])}.")
