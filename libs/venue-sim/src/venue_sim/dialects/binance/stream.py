"""Binance's stream of order books: `<symbol>@depth@100ms`, differences that a client lays over a requested book."""

from typing import Any

from venue_sim.dialects.binance.fields import venue_symbol
from venue_sim.dialects.streams import BookChannel, Change, StreamSession, json_text, parse_object
from venue_sim.dialects.wire import base_asset, text, to_ms

_WHOLE_BOOK = 1_000_000


class BinanceBooks(BookChannel):
    """Differences every 100 ms; `pu` of each is `u` of the one before."""

    push_seconds = 0.1
    begins_with_snapshot = False

    def serves(self, path: str) -> bool:
        return path.startswith("/public/ws")

    def hear(self, text: str, session: StreamSession) -> list[str]:
        request = parse_object(text)
        if request is None:
            return [json_text({"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"})]
        method, names = request.get("method"), request.get("params")
        if method not in ("SUBSCRIBE", "UNSUBSCRIBE") or not isinstance(names, list):
            unknown = f"Invalid request: unknown variant `{method}`"
            return [json_text({"code": 2, "msg": unknown, "id": request.get("id")})]
        for name in names:
            symbol = self._symbol_of(str(name))
            if symbol is None:
                continue  # as the venue does: a name that it does not know is never heard of again
            if method == "SUBSCRIBE":
                session.follow(name, symbol, _WHOLE_BOOK)
            else:
                session.leave(name)
        return [json_text({"result": None, "id": request.get("id")})]

    def _symbol_of(self, name: str) -> str | None:
        symbol, _, stream = name.partition("@")
        listed = base_asset(symbol.upper())
        return listed if stream == "depth@100ms" and listed in self._venue.instruments else None

    def words(self, change: Change) -> Any:
        stamp = to_ms(change.book.time)
        return {
            "e": "depthUpdate",
            "E": stamp,
            "T": stamp,
            "s": venue_symbol(change.book.symbol),
            "U": min(change.previous_id + 1, change.book.update_id),
            "u": change.book.update_id,
            "pu": change.previous_id,
            "b": [[text(level.price), text(level.quantity)] for level in change.bids],
            "a": [[text(level.price), text(level.quantity)] for level in change.asks],
        }
