"""`tandem explain`: the story of one trade, and what its P&L is made of."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from operator_cli.gateway import Content
from operator_cli.options import DEFAULT_GATEWAY, AsJson, GatewayAddress, TokenFile, TradeId, connect
from operator_cli.printing import Page, figure, moment, pair, second, service_name, show_json, words

Figures = Annotated[bool, typer.Option("--figures", help="Under each line the figures behind it.")]


def explain(
    trade_id: TradeId,
    figures: Figures = False,
    gateway: GatewayAddress = DEFAULT_GATEWAY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """The story of one trade: why it opened or not, entries, fills, decisions, and its P&L by part."""
    with connect(gateway, token_file) as asked:
        trade = asked.get(f"/api/live_trading/signals/{trade_id}")
    if as_json:
        show_json(trade)
    else:
        _show(Page(), trade, with_figures=figures)


def _show(page: Page, trade: Content, *, with_figures: bool) -> None:
    signal = trade["signal"]
    why = signal["close_reason"] or signal["reason"]
    outcome = words(signal["status"]) + (f": {words(why)}" if why else "")
    page.say(f"Trade {signal['id']}, {signal['symbol']} {pair(signal)} (long/short), {outcome}", "bold")
    page.say()
    story = trade["story"]
    if with_figures:
        _show_figures(page, story)
    else:
        rows = [(second(line["at"]), service_name(line["service"]), line["what"]) for line in story]
        page.table(("at (UTC)", "service", "what"), rows)
    _show_money(page, trade["totals"])


def _show_figures(page: Page, story: Sequence[Content]) -> None:
    for line in story:
        page.say(f"{moment(line['at'])}  {service_name(line['service'])}")
        page.say(line["what"], indent=4)
        for name, value in line["figures"].items():
            if value is not None:
                text = value if isinstance(value, str) else json.dumps(value)
                page.say(f"{words(name)}: {text}", "dim", indent=8)


def _show_money(page: Page, totals: Content) -> None:
    legs = [leg | {"name": name} for name, leg in totals["legs"].items() if leg["average_entry_price"] is not None]
    if not legs:
        page.say()
        page.say("It never held a position.")
        return
    page.say()
    headings = ("leg", "opened", "reduced", "open", "entry price", "exit price", "fees USDT", "funding USDT")
    columns = ("opened_quantity", "reduced_quantity", "open_quantity", "average_entry_price", "average_exit_price")
    money = ("fees_usdt", "funding_booked_usdt")
    page.table(headings, [(leg["name"], *(figure(leg[column]) for column in (*columns, *money))) for leg in legs])
    page.say()
    parts = (("spread", "spread_pnl_usdt"), ("fees", "fees_usdt"), ("funding", "funding_usdt"), ("net", "net_pnl_usdt"))
    page.table(("P&L", "USDT"), [(name, figure(totals[part])) for name, part in parts])
    if not totals["pnl_complete"]:
        page.say("Not final: a dash is not known before every fill, fee and payment is booked.")
