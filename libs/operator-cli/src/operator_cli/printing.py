"""What the operator sees: aligned columns where they fit, one field a line where they do not, and JSON for machines.

Everything shown is somebody's text: a venue's error words or an operator's reason. None of it reaches the terminal
as a control sequence or as markup.
"""

import json
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

UNKNOWN = "-"
_PIPED_WIDTH = 10_000
_WRAPPED_WIDTH_MIN = 16
_GAP = "  "
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _console() -> Console:
    """Standard output. In a pipe each row is one line, unless COLUMNS says otherwise."""
    columns = os.environ.get("COLUMNS", "")
    wide = None if sys.stdout.isatty() or columns.isdecimal() else _PIPED_WIDTH
    styled: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Console(width=wide, color_system=styled, highlight=False, markup=False, emoji=False)


def show_json(content: object) -> None:
    """The answer as it came, indented."""
    print(json.dumps(content, indent=2))


def plain_text(text: str) -> str:
    """The text without what a terminal would obey; tabs and line ends stay."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


class Page:
    """Lines and tables on standard output."""

    def __init__(self) -> None:
        self._console = _console()

    def say(self, text: str = "", style: str = "", *, indent: int = 0) -> None:
        """A paragraph; what does not fit goes on under its beginning."""
        for line in self._wrapped(text, self._console.width - indent):
            self._line(" " * indent + line, style)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Rows under their headings. The last column wraps; where that is not enough, each row becomes a list."""
        cells = [[plain_text(cell) for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
        left = self._console.width - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
        if left >= min(widths[-1], _WRAPPED_WIDTH_MIN):
            for row, style in ((headings, "bold"), *((row, "") for row in cells)):
                self._aligned(row, widths[:-1], left, style)
        else:
            for row in cells:
                self._listed(headings, row)

    def _aligned(self, row: Sequence[str], widths: Sequence[int], left: int, style: str) -> None:
        *firsts, last = row
        beginning = "".join(cell.ljust(width) + _GAP for cell, width in zip(firsts, widths, strict=True))
        for line in self._wrapped(last, left):
            self._line(beginning + line, style)
            beginning = " " * len(beginning)

    def _listed(self, headings: Sequence[str], row: Sequence[str]) -> None:
        indent = max(map(len, headings)) + len(_GAP)
        for heading, cell in zip(headings, row, strict=True):
            beginning = heading.ljust(indent)
            for line in self._wrapped(cell, self._console.width - indent):
                self._line(beginning + line)
                beginning = " " * indent
        self._line("")

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text.rstrip(), style=style, overflow="ignore", no_wrap=True), crop=False)

    def _wrapped(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(plain_text(text), max(width, 1)) or [""]


def percent(fraction: float | None, digits: int = 2) -> str:
    """0.0123 as 1.23%."""
    return UNKNOWN if fraction is None else f"{fraction:.{digits}%}"


def usdt(amount: str | None) -> str:
    """A ledger figure rounded for a list; the whole of it stands in the JSON."""
    return UNKNOWN if amount is None else f"{round(Decimal(amount), 2) or Decimal(0):.2f}"


def figure(amount: str | None) -> str:
    """A quantity, price or amount to eight decimals at most, without zeros that say nothing."""
    if amount is None:
        return UNKNOWN
    text = f"{Decimal(amount):.8f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def moment(text: str | None) -> str:
    """An RFC 3339 time in UTC to the second."""
    return UNKNOWN if text is None else f"{text[:10]} {text[11:19]}Z"


def second(text: str | None) -> str:
    """The same without its year."""
    return UNKNOWN if text is None else f"{text[5:10]} {text[11:19]}"


def minute(text: str | None) -> str:
    """The same for lists, where there is little room: month, day, hour and minute."""
    return UNKNOWN if text is None else f"{text[5:10]} {text[11:16]}"


def service_name(name: str) -> str:
    """`signal_ingest` by the name that documents and deployments use."""
    return name.replace("_", "-")


def words(name: str) -> str:
    """`take_profit` as it is said."""
    return name.replace("_", " ")


def pair(row: Mapping[str, Any]) -> str:
    """Where it is bought and where it is sold."""
    return f"{row['long_venue']}/{row['short_venue']}"
