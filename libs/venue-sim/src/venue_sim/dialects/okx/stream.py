"""OKX's stream of order books: the channel `books`, a snapshot and then updates that name the one before."""

from typing import Any

from venue_sim.dialects.okx.fields import contracts, instrument_id
from venue_sim.dialects.streams import BookChannel, Change, StreamSession, json_text, parse_object
from venue_sim.dialects.wire import text, to_ms
from venue_sim.market import Level

_CHANNEL = "books"
_LEVELS_MAX = 400
CONNECTION = "simulated"


class OkxBooks(BookChannel):
    """Snapshot at once, updates every 100 ms; quantities are contracts."""

    push_seconds = 0.1
    begins_with_snapshot = True

    def serves(self, path: str) -> bool:
        return path == "/ws/v5/public"

    def hear(self, text: str, session: StreamSession) -> list[str]:
        if text == "ping":
            return ["pong"]
        request = parse_object(text)
        if request is None or not isinstance(request.get("args"), list):
            return [error("60012", f"Invalid request: {text}")]
        return [self._carry_out(request.get("op"), argument, session) for argument in request["args"]]

    def _carry_out(self, operation: Any, argument: Any, session: StreamSession) -> str:
        channel, instrument = (
            (argument.get("channel"), argument.get("instId")) if isinstance(argument, dict) else (None, None)
        )
        listed = {instrument_id(symbol): symbol for symbol in self._venue.instruments}
        if operation not in ("subscribe", "unsubscribe"):
            return error("60012", f"Invalid request: {operation}")
        if channel != _CHANNEL or instrument not in listed:
            return error("60018", f"Wrong URL or channel:{channel},instId:{instrument} doesn't exist.")
        if operation == "subscribe":
            session.follow(str(instrument), listed[instrument], _LEVELS_MAX)
        else:
            session.leave(str(instrument))
        return json_text({"event": operation, "arg": argument, "connId": CONNECTION})

    def words(self, change: Change) -> Any:
        rules = self._venue.instruments[change.book.symbol]

        def side(levels: Any) -> list[list[str]]:
            rows: list[Level] = list(levels)
            return [
                [text(row.price), contracts(row.quantity, rules), "0", "1" if row.quantity else "0"] for row in rows
            ]

        return {
            "arg": {"channel": _CHANNEL, "instId": change.topic},
            "action": "snapshot" if change.is_snapshot else "update",
            "data": [
                {
                    "asks": side(change.asks),
                    "bids": side(change.bids),
                    "ts": str(to_ms(change.book.time)),
                    "checksum": 0,
                    "prevSeqId": -1 if change.is_snapshot else change.previous_id,
                    "seqId": change.book.update_id,
                }
            ],
        }


def error(code: str, message: str) -> str:
    """What the venue says where it does not do what it is asked."""
    return json_text({"event": "error", "code": code, "msg": message, "connId": CONNECTION})
