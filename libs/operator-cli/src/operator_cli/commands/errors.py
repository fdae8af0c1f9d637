"""`tandem errors`: what went wrong, and what somebody has to know."""

from typing import Annotated, Any

import typer

from operator_cli.options import (
    DEFAULT_GATEWAY,
    ID_MAX,
    SERVICES,
    AsJson,
    GatewayAddress,
    Limit,
    TokenFile,
    completing,
    connect,
    one_of,
    whole_number,
)
from operator_cli.printing import UNKNOWN, Page, second, service_name, show_json

SERVICE = typer.Option(
    parser=one_of(SERVICES), autocompletion=completing(SERVICES), metavar="NAME", help=f"Only {', '.join(SERVICES)}."
)
CHANGES = frozenset({"trading_state_changed"})
"""Kinds that somebody has to know of, and that are no errors: their message says it all."""
HEADINGS = ("at (UTC)", "service", "trade", "what")
TRADE = typer.Option(parser=whole_number(1, ID_MAX), metavar="ID", help="Only those of this trade.")


def errors(
    service: Annotated[str | None, SERVICE] = None,
    trade: Annotated[int | None, TRADE] = None,
    limit: Limit = 20,
    gateway: GatewayAddress = DEFAULT_GATEWAY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Errors and alarms of all services, newest first."""
    query = {"service": service and service.replace("-", "_"), "signal_id": trade}
    with connect(gateway, token_file) as asked:
        found = asked.pages("/api/live_trading/errors", query, limit)
    if as_json:
        show_json(found)
    elif found:
        Page().table(HEADINGS, map(error_row, found))
    else:
        Page().say("No such error.")


def error_row(error: dict[str, Any]) -> tuple[str, ...]:
    """One error under `HEADINGS`."""
    kind, message = error["kind"], error["message"]
    return (
        second(error["occurred_at"]),
        service_name(error["service"]),
        UNKNOWN if error["signal_id"] is None else str(error["signal_id"]),
        message if kind in CHANGES else f"{kind}: {message}",
    )
