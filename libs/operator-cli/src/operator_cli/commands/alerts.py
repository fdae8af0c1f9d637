"""`tandem alerts`: whether alerts reach whoever should read them."""

import typer

from operator_cli.exits import NotYet
from operator_cli.options import DEFAULT_GATEWAY, AsJson, GatewayAddress, TokenFile, WaitSeconds, Who, asker, connect
from operator_cli.printing import Page, show_json

WAIT_SECONDS = 15.0

app = typer.Typer(help="Alerts to people: see ALERT_URLS.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def alerts() -> None:
    """Makes `test` a command of its own, and not the only one that `tandem alerts` is."""


@app.command("test")
def send_test(
    who: Who = None,
    wait: WaitSeconds = WAIT_SECONDS,
    gateway: GatewayAddress = DEFAULT_GATEWAY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Send a test alert to every address, and wait until all took it."""
    wish = {"who": asker(who), "wait_seconds": wait}
    with connect(gateway, token_file) as asked:
        outcome = asked.post("/api/alerts/test", wish, wait_seconds=wait)
    if as_json:
        show_json(outcome)
    if not outcome["is_delivered"]:
        raise NotYet(f"After {outcome['waited_seconds']:g} s {outcome['told']}; it is tried again.")
    if not as_json:
        Page().say(f"After {outcome['waited_seconds']:g} s {outcome['told']}.")
