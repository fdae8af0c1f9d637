"""`tandem status`: is it well, may it trade, what does it hold, and does the ledger agree with the venues."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from common.domain.trade_states import ACTIVE_STATES
from operator_cli.commands.errors import HEADINGS, error_row
from operator_cli.exits import Refused
from operator_cli.gateway import Content, Gateway
from operator_cli.options import DEFAULT_GATEWAY, AsJson, GatewayAddress, TokenFile, connect
from operator_cli.printing import (
    UNKNOWN,
    Page,
    figure,
    minute,
    moment,
    pair,
    percent,
    service_name,
    show_json,
    usdt,
    words,
)

_ERRORS_SHOWN = 5
_TRADES_MAX = 10_000
_UNHEALTHY = frozenset({503})


def status(gateway: GatewayAddress = DEFAULT_GATEWAY, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Health of every service, trading state, open trades, exposure, drifts and the newest errors.

    Ends with 1 when a service is not ready.
    """
    with connect(gateway, token_file) as asked:
        known = _ask(asked)
    if as_json:
        show_json(known)
    else:
        _show(Page(), known)
    if known["problems"]:
        raise Refused("Not all is well: " + "; ".join(known["problems"]) + ".")


def _ask(gateway: Gateway) -> Content:
    """Health first: it is told even where the database, and with it all the rest, is away."""
    health = gateway.get("/api/health", statuses=_UNHEALTHY)
    known: Content = {"health": health, "overview": None, "trades": None, "positions": None}
    problems = list(health["problems"])
    try:
        known["overview"] = gateway.get("/api/live_trading/overview", {"limit": _ERRORS_SHOWN})
        known["trades"] = [
            trade
            for state in ACTIVE_STATES
            for trade in gateway.pages("/api/live_trading/signals", {"status": state}, _TRADES_MAX)
        ]
        known["positions"] = gateway.pages("/api/live_trading/positions", {}, _TRADES_MAX)
    except Refused as refusal:
        problems.append(str(refusal).removesuffix("."))
    return known | {"problems": problems}


def _show(page: Page, known: Content) -> None:
    if known["overview"] is not None:
        _show_state(page, known["overview"])
        page.say()
    _show_services(page, known["health"])
    _show_bans(page, known["health"]["services"])
    if known["positions"] is not None:
        page.say()
        _show_trades(page, known)
        page.say()
        _show_drifts(page, known["positions"])
        _show_errors(page, known["overview"]["errors"])


def _show_state(page: Page, overview: Content) -> None:
    state, settings = overview["trading_state"], overview["live_trading_config"]
    mode = settings["LIVE_TRADING_MODE"]["value"]
    venues = ", ".join(settings["LIVE_TRADING_ALLOWED_EXCHANGES"]["value"])
    page.say(f"Trading is {state['state']} ({mode} on {venues}), as of {moment(overview['timestamp'])}.", "bold")
    if state["changed_at"] is not None:
        page.say(f"Set by {state['changed_by']} at {moment(state['changed_at'])}: {state['reason']}.")
    if not overview["live_trading_enabled"]:
        page.say("LIVE_TRADING_ENABLED is 0: signals are recorded, nothing opens.")


def _show_services(page: Page, health: Content) -> None:
    rows = [
        (service_name(service), words(answer["status"]), answer["problem"] or _unwell(answer["dependencies"]))
        for service, answer in health["services"].items()
    ]
    page.table(("service", "state", "problem"), rows)


def _show_bans(page: Page, services: Content) -> None:
    """The longest that any service knows of."""
    until: dict[str, str] = {}
    for answer in services.values():
        for venue, standing in answer["venues"].items():
            if standing["banned_until"] is not None:
                until[venue] = max(until.get(venue, ""), standing["banned_until"])
    for venue, moment_text in sorted(until.items()):
        page.say(f"{venue} bans us until {moment(moment_text)}: nothing is asked of it.", "bold")


def _unwell(dependencies: dict[str, str]) -> str:
    return "; ".join(f"{name}: {state}" for name, state in dependencies.items() if state != "ok") or UNKNOWN


def _show_trades(page: Page, known: Content) -> None:
    trades, totals = known["trades"], known["overview"]["totals"]
    if not trades:
        page.say("No trade is open.")
        return
    most = known["overview"]["live_trading_config"]["LIVE_TRADING_MAX_CONCURRENT"]["value"]
    page.say(
        f"{len(trades)} of at most {most} trades, {usdt(totals['open_notional_usdt'])} USDT on each side (x: entries):"
    )
    held = {position["signal_id"]: position["legs"] for position in known["positions"]}
    rows = [_trade_row(trade, held.get(trade["id"], [])) for trade in trades]
    page.table(("id", "symbol", "long/short", "state", "USDT/leg", "spread", "P&L", "close by"), rows)


def _trade_row(trade: dict[str, Any], legs: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    sample = trade["latest_sample"] or {}
    return (
        str(trade["id"]),
        trade["symbol"],
        pair(trade),
        f"{trade['status']} x{trade['entries_count']}",
        _held_usdt(legs),
        percent(sample.get("exit_spread_pct")),
        usdt(sample.get("total_pnl_usdt")),
        minute(trade["force_close_at"]),
    )


def _held_usdt(legs: Sequence[dict[str, Any]]) -> str:
    """What the larger leg holds, at its entry prices."""
    values = [
        abs(Decimal(leg["ledger_quantity"])) * Decimal(leg["average_entry_price"])
        for leg in legs
        if leg["average_entry_price"] is not None
    ]
    return usdt(str(max(values))) if values else UNKNOWN


def _show_drifts(page: Page, positions: Sequence[dict[str, Any]]) -> None:
    rows = [
        (
            str(position["signal_id"]),
            f"{leg['leg']} {position['symbol']} on {leg['venue']}",
            figure(leg["ledger_quantity"]),
            figure(leg["venue_quantity"]),
            minute(leg["venue_read_at"]),
        )
        for position in positions
        for leg in position["legs"]
        if leg["difference"] is None or Decimal(leg["difference"])
    ]
    if rows:
        page.say("Ledger and venue differ, or the venue has not been read yet:", "bold")
        page.table(("id", "leg", "ledger", "venue", "read at"), rows)
    else:
        page.say("Drifts: none; the venues hold what the ledger says.")


def _show_errors(page: Page, errors: Sequence[dict[str, Any]]) -> None:
    if not errors:
        page.say("Errors and alarms: none recorded.")
        return
    page.say("Newest errors and alarms:")
    page.table(HEADINGS, map(error_row, errors))
