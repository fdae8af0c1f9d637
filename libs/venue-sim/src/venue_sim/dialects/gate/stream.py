"""Gate's stream of order books: `futures.order_book_update`, differences that a client lays over a requested book."""

from collections.abc import Sequence
from typing import Any

from venue_sim.dialects.gate.fields import contract_name, size, symbol_of
from venue_sim.dialects.streams import BookChannel, Change, StreamSession, json_text, parse_object
from venue_sim.dialects.wire import text, to_ms, wall_clock_ms
from venue_sim.market import Level

_CHANNEL = "futures.order_book_update"
_LEVELS = {"20": 20, "50": 50, "100": 100}
_EVERY = "100ms"
_CONNECTION = "simulated"


class GateBooks(BookChannel):
    """Differences every 100 ms of as many levels as were asked for; quantities are contracts."""

    push_seconds = 0.1
    begins_with_snapshot = False

    def serves(self, path: str) -> bool:
        return path == "/v4/ws/usdt"

    def hear(self, text: str, session: StreamSession) -> list[str]:
        request = parse_object(text)
        if request is None:
            return [_answer({}, error=(1, "invalid request body format"))]
        if request.get("channel") == "futures.ping":
            return [json_text(_now() | {"channel": "futures.pong", "event": "", "error": None, "result": None})]
        if request.get("channel") != _CHANNEL or request.get("event") not in ("subscribe", "unsubscribe"):
            return [_answer(request, error=(1, f"unknown channel {request.get('channel')}"))]
        contract, every, levels = _payload(request)
        symbol = symbol_of(contract)
        if symbol not in self._venue.instruments:
            return [_answer(request, error=(2, f"unknown contract {contract}"))]
        if every != _EVERY or levels not in _LEVELS:
            return [_answer(request, error=(2, f"invalid argument {every} {levels}"))]
        if request["event"] == "subscribe":
            session.follow(f"{contract} {levels}", symbol, _LEVELS[levels])
        else:
            session.leave(f"{contract} {levels}")
        return [_answer(request)]

    def words(self, change: Change) -> Any:
        rules = self._venue.instruments[change.book.symbol]

        def side(rows: Sequence[Level]) -> list[dict[str, Any]]:
            return [{"p": text(row.price), "s": size(row.quantity, rules, self._headers)} for row in rows]

        return _now() | {
            "channel": _CHANNEL,
            "event": "update",
            "result": {
                "t": to_ms(change.book.time),
                "s": contract_name(change.book.symbol),
                "U": min(change.previous_id + 1, change.book.update_id),
                "u": change.book.update_id,
                "b": side(change.bids),
                "a": side(change.asks),
                "l": change.topic.partition(" ")[2],
            },
        }


def _payload(request: dict[str, Any]) -> tuple[str, str, str]:
    """Contract, how often, and how many levels."""
    payload = request.get("payload")
    words = [str(word) for word in payload] if isinstance(payload, list) else []
    contract, every, levels = (words + [""] * 3)[:3]
    return contract, every, levels


def _now() -> dict[str, Any]:
    milliseconds = wall_clock_ms()
    return {"time": milliseconds // 1000, "time_ms": milliseconds}


def _answer(request: dict[str, Any], error: tuple[int, str] | None = None) -> str:
    asked = {name: request.get(name) for name in ("id", "channel", "event", "payload")}
    content = _now() | {"conn_id": _CONNECTION, **asked, "result": {"status": "fail" if error else "success"}}
    if error is not None:
        content["error"] = {"code": error[0], "message": error[1]}
    return json_text(content)
