"""Identifiers that mean the same everywhere.

A client order id is a pure function of what the order is for, so that no retry and no restart can send an order
twice: the venue refuses the second one.
"""

import re
from enum import StrEnum


class Leg(StrEnum):
    """The bought perpetual or the sold one."""

    LONG = "long"
    SHORT = "short"


class Side(StrEnum):
    """What an order does on its venue."""

    BUY = "buy"
    SELL = "sell"


class Purpose(StrEnum):
    """Why an order exists: it opens an entry, takes back an unmatched fill, or closes the trade.

    `EXTERNAL` is the venue's or somebody's own order that reduced a leg; Tandem books it and never sends one.
    """

    OPEN = "open"
    UNWIND = "unwind"
    CLOSE = "close"
    EXTERNAL = "external"


SYMBOL_PATTERN = r"^[A-Z0-9]{1,20}$"
VENUE_PATTERN = r"^[a-z][a-z0-9_]{1,19}$"

_MARK = "7a4d"
_LEG_CODE = {Leg.LONG: "0", Leg.SHORT: "1"}
_PURPOSE_CODE = {Purpose.OPEN: "0", Purpose.UNWIND: "1", Purpose.CLOSE: "2"}
_LENGTH = 28
_CLIENT_ORDER_ID = re.compile(rf"^{_MARK}[0-9a-f]{{24}}$")


def order_side(leg: Leg, purpose: Purpose) -> Side:
    """Opening the long leg buys; reducing it sells; the short leg is the mirror."""
    opens = purpose is Purpose.OPEN
    return Side.BUY if (leg is Leg.LONG) == opens else Side.SELL


def client_order_id(order_key: str, entry: int, leg: Leg, purpose: Purpose, attempt: int) -> str:
    """28 lower-case hexadecimal characters: every venue's alphabet and length allow them.

    `order_key` is the trade's own 16 hexadecimal characters, drawn once when its signal is recorded: ids of two
    installations on one account do not meet. `entry` is 0 for an order that closes the whole trade.

    Raises:
        ValueError: a part does not fit its place, or the purpose is not one of orders that are sent.
    """
    if purpose not in _PURPOSE_CODE:
        raise ValueError(f"an order of purpose {purpose} is never sent")
    if not re.fullmatch(r"[0-9a-f]{16}", order_key):
        raise ValueError(f"an order key is 16 hexadecimal characters, not {order_key!r}")
    if not 0 <= entry <= 0xFF or not 0 <= attempt <= 0xFFFF:
        raise ValueError(f"entry {entry} or attempt {attempt} is out of range")
    return f"{_MARK}{order_key}{entry:02x}{_LEG_CODE[leg]}{_PURPOSE_CODE[purpose]}{attempt:04x}"


def unspelled(client_order_id: str) -> str:
    """An id that `client_order_id` made, of a venue's spelling of it, which ends with it; any other id as it is."""
    ending = client_order_id[-_LENGTH:]
    return ending if order_key_of(ending) else client_order_id


def pair_key(client_order_id: str) -> str:
    """What the orders of both legs of one pair have in common, in ids that `client_order_id` made."""
    return client_order_id[:22] + client_order_id[23:]


def order_key_of(client_order_id: str) -> str | None:
    """The order key inside an id that `client_order_id` made; None of anybody else's order."""
    return client_order_id[4:20] if _CLIENT_ORDER_ID.match(client_order_id) else None
