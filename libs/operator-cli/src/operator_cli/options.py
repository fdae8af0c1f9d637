"""Options that commands share, and what they are allowed to be."""

import getpass
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import httpx
import typer

from operator_cli.exits import WrongUsage
from operator_cli.gateway import Gateway
from operator_cli.printing import plain_text

DEFAULT_GATEWAY = "http://127.0.0.1:4002"
SERVICES = ("api-gateway", "signal-ingest", "executor", "position-monitor")
LIMIT_MAX = 10_000
ID_MAX = 2**53 - 1
TEXT_CHARACTERS_MAX = 500
WAIT_SECONDS_MAX = 30


def is_gateway_address(text: str) -> bool:
    """Whether a gateway may stand at this address: http or https, and no password in it."""
    try:
        address = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return address.scheme in ("http", "https") and bool(address.host) and not address.userinfo


def _address(text: str) -> str:
    if not is_gateway_address(text):
        raise typer.BadParameter(f"{text!r}: allowed is an address without a password, as {DEFAULT_GATEWAY}")
    return text.rstrip("/")


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers. Defaults pass through it, too, as the numbers that they are."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,19}", str(text)) or not low <= int(text) <= high:
            raise typer.BadParameter(f"{text!r}: allowed is a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", str(text)) or float(text) > WAIT_SECONDS_MAX:
        raise typer.BadParameter(f"{text!r}: allowed are 0 to {WAIT_SECONDS_MAX} seconds")
    return float(text)


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """A parser that lets only `names` through."""

    def parse(text: str) -> str:
        if text not in names:
            raise typer.BadParameter(f"{text!r}: allowed is one of {', '.join(names)}")
        return text

    return parse


def completing(names: Sequence[str]) -> Callable[[str], list[str]]:
    """What the shell offers for the beginning of a word."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete


def _line(text: str) -> str:
    if not text.strip() or len(text) > TEXT_CHARACTERS_MAX or not text.isprintable():
        raise typer.BadParameter(f"{text!r}: allowed is one line of 1 to {TEXT_CHARACTERS_MAX} characters")
    return text


GatewayAddress = Annotated[
    str,
    typer.Option("--gateway", envvar="TANDEM_GATEWAY", parser=_address, metavar="URL", help="Address of the gateway."),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="TANDEM_TOKEN_FILE",
        metavar="PATH",
        help="File with the access token; without it TANDEM_TOKEN is the token.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the gateway answers, as JSON.")]
TradeId = Annotated[
    int, typer.Argument(parser=whole_number(1, ID_MAX), metavar="ID", help="Id of the trade; see `tandem trades`.")
]
Limit = Annotated[
    int, typer.Option(parser=whole_number(1, LIMIT_MAX), metavar="NUMBER", help="At most so many, newest first.")
]
Who = Annotated[
    str | None,
    typer.Option(envvar="TANDEM_WHO", parser=_line, metavar="NAME", help="Who asks; by default the login name."),
]
Why = Annotated[
    str | None, typer.Option(parser=_line, metavar="TEXT", help="Why; asked for at a terminal when it is left out.")
]
WaitSeconds = Annotated[
    float, typer.Option("--wait", parser=_seconds, metavar="SECONDS", help="How long to wait for the result.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for a typed confirmation.")]


def connect(address: str, token_file: Path | None) -> Gateway:
    """The gateway at `address`, with the operator's token where there is one.

    Raises:
        WrongUsage: the token cannot be read or cannot be one.
    """
    return Gateway(address, _token(token_file))


def _token(token_file: Path | None) -> str | None:
    if token_file is None:
        token, source = os.environ.get("TANDEM_TOKEN", ""), "TANDEM_TOKEN"
    else:
        source = f"--token-file {token_file}"
        try:
            token = token_file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUsage(f"{source} cannot be read: {error}.") from error
        if not token.strip():
            raise WrongUsage(f"{source} is empty: allowed is a file with the access token in it.")
    token = token.strip()
    if not token:
        return None
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise WrongUsage(f"{source} is no token: allowed is one word of printable ASCII characters.")
    return token


def asker(who: str | None) -> str:
    """Who asks: as given, or the login name.

    Raises:
        WrongUsage: the process's user has no name.
    """
    if who is not None:
        return who
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        raise WrongUsage("Who asks is not known: say it with --who or TANDEM_WHO.") from error


def reason(why: str | None) -> str:
    """Why it is asked for: as given, or typed at the terminal.

    Raises:
        WrongUsage: nobody is there to be asked.
    """
    if why is not None:
        return why
    if not sys.stdin.isatty():
        raise WrongUsage("Missing option '--why': say in a line why, it is recorded.")
    typed = _typed("Why: ")
    if not typed:
        raise WrongUsage("--why is empty: say in a line why, it is recorded.")
    return typed


def _typed(question: str) -> str:
    """What the operator types; the question goes to stderr, so that stdout holds the answer alone."""
    print(plain_text(question), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def confirm(word: str, consequence: str) -> None:
    """Goes on only once the operator has typed `word`.

    Raises:
        WrongUsage: nobody is there to be asked, or something else was typed.
    """
    if not sys.stdin.isatty():
        raise WrongUsage(f"{consequence}: without a terminal to confirm it at, say --yes.")
    if _typed(f"{consequence}. Type {word!r} to go on: ") != word:
        raise WrongUsage("Not confirmed; nothing was changed.")
