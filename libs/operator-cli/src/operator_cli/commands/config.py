"""`tandem config`: what every service runs with, and where they do not agree."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from operator_cli.exits import Refused
from operator_cli.options import (
    DEFAULT_GATEWAY,
    SERVICES,
    AsJson,
    GatewayAddress,
    TokenFile,
    completing,
    connect,
    one_of,
)
from operator_cli.printing import Page, service_name, show_json

SHARED_PREFIXES = ("LIVE_TRADING_", "WATCHLIST_", "VENUE_")
"""Settings that mean the same to every service that has them."""


_SOURCES = {"environment": "env"}
SERVICE = typer.Option(
    parser=one_of(SERVICES), autocompletion=completing(SERVICES), metavar="NAME", help=f"Only {', '.join(SERVICES)}."
)

Settings = Mapping[str, Any]


def config(
    service: Annotated[str | None, SERVICE] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only what the environment set.")] = False,
    gateway: GatewayAddress = DEFAULT_GATEWAY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Every setting in effect of each service with its source; secrets are hidden.

    Ends with 1 when a service does not say, or when services differ in a setting that they share.
    """
    with connect(gateway, token_file) as asked:
        answer = asked.get("/api/settings")
    by_service = {
        name: _wanted(said["settings"], changed=changed)
        for name, said in answer["services"].items()
        if service in (None, service_name(name))
    }
    problems = [
        f"{name} does not say what it runs with: {said['problem']}"
        for name, said in answer["services"].items()
        if service in (None, service_name(name)) and said["problem"] is not None
    ]
    problems += [f"{name} differs between services" for name in _differing(answer["services"])]
    if as_json:
        show_json({"services": by_service, "problems": problems})
    else:
        _show(Page(), by_service)
    if problems:
        raise Refused("Not all is well: " + "; ".join(problems) + ".")


def _wanted(settings: Settings, *, changed: bool) -> Settings:
    return {name: one for name, one in settings.items() if not changed or one["source"] == "environment"}


def _show(page: Page, by_service: Mapping[str, Settings]) -> None:
    """One table for each group of services that have the same settings at the same values."""
    for group, rows in _groups(by_service).items():
        every = len(group) == len(by_service) > 1
        page.say("all services" if every else ", ".join(map(service_name, group)), "bold")
        page.table(("setting", "from", "value"), rows)
        page.say()


def _groups(by_service: Mapping[str, Settings]) -> dict[tuple[str, ...], list[tuple[str, str, str]]]:
    having: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for service, settings in by_service.items():
        for name, setting in settings.items():
            row = (name, _SOURCES.get(setting["source"], setting["source"]), _text(setting["value"]))
            having[row] = (*having.get(row, ()), service)
    groups: dict[tuple[str, ...], list[tuple[str, str, str]]] = {}
    for row, group in sorted(having.items(), key=lambda item: (-len(item[1]), item[1], item[0])):
        groups.setdefault(group, []).append(row)
    return groups


def _differing(services: Mapping[str, Any]) -> list[str]:
    values: dict[str, set[str]] = {}
    for said in services.values():
        for name, setting in said["settings"].items():
            if name.startswith(SHARED_PREFIXES):
                values.setdefault(name, set()).add(_text(setting["value"]))
    return sorted(name for name, found in values.items() if len(found) > 1)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
