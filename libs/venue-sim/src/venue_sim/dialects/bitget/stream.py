"""Bitget's stream of order books: the channel `books`, a snapshot and then updates with the sum of all."""

from collections.abc import Iterable
from itertools import chain, zip_longest
from typing import Any
from zlib import crc32

from venue_sim.dialects.bitget.fields import PRODUCT, venue_symbol
from venue_sim.dialects.streams import BookChannel, Change, StreamSession, json_text, parse_object
from venue_sim.dialects.wire import text, to_ms, wall_clock_ms
from venue_sim.market import Book, Level

_CHANNEL = "books"
_LEVELS_MAX = 400
_SUMMED_LEVELS = 25


class BitgetBooks(BookChannel):
    """Snapshot at once, updates every 150 ms."""

    push_seconds = 0.15
    begins_with_snapshot = True

    def serves(self, path: str) -> bool:
        return path == "/v2/ws/public"

    def hear(self, text: str, session: StreamSession) -> list[str]:
        if text == "ping":
            return ["pong"]
        request = parse_object(text)
        operation = request.get("op") if request else None
        if request is None or operation not in ("subscribe", "unsubscribe"):
            return [_error(30003, "INVALID op")]
        arguments = request.get("args")
        if not isinstance(arguments, list):
            return [_error(30016, "Param error")]
        return [self._carry_out(operation, argument, session) for argument in arguments]

    def _carry_out(self, operation: str, argument: Any, session: StreamSession) -> str:
        wanted = argument if isinstance(argument, dict) else {}
        product, channel, contract = (wanted.get(name) for name in ("instType", "channel", "instId"))
        listed = {venue_symbol(symbol): symbol for symbol in self._venue.instruments}
        if (product, channel) != (PRODUCT, _CHANNEL) or contract not in listed:
            return _error(30001, f"instType:{product},channel:{channel},instId:{contract} doesn't exist")
        if operation == "subscribe":
            session.follow(contract, listed[contract], _LEVELS_MAX)
        else:
            session.leave(contract)
        return json_text({"event": operation, "arg": wanted})

    def words(self, change: Change) -> Any:
        return {
            "action": "snapshot" if change.is_snapshot else "update",
            "arg": {"instType": PRODUCT, "channel": _CHANNEL, "instId": change.topic},
            "data": [
                {
                    "asks": [_row(level) for level in change.asks],
                    "bids": [_row(level) for level in change.bids],
                    "checksum": 0 if change.is_snapshot else checksum(change.book),
                    "seq": change.book.update_id,
                    "ts": str(to_ms(change.book.time)),
                }
            ],
            "ts": wall_clock_ms(),
        }


def checksum(book: Book) -> int:
    """The signed CRC-32 of the best levels as they are pushed, bid and ask in turn."""
    sides = ([_row(level) for level in side[:_SUMMED_LEVELS]] for side in (book.bids, book.asks))
    rows: Iterable[list[str]] = chain.from_iterable(zip_longest(*sides, fillvalue=[]))
    unsigned = crc32(":".join(chain.from_iterable(rows)).encode())
    return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned


def _row(level: Level) -> list[str]:
    """One text for one figure: the sum is of texts."""
    return [text(level.price.normalize()), text(level.quantity.normalize())]


def _error(code: int, message: str) -> str:
    return json_text({"event": "error", "code": code, "msg": message})
