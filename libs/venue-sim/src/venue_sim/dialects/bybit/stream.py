"""Bybit's stream of order books: `orderbook.50.<symbol>`, a snapshot and then deltas numbered one by one."""

from typing import Any

from venue_sim.dialects.bybit.fields import venue_symbol
from venue_sim.dialects.streams import BookChannel, Change, StreamSession, json_text, parse_object
from venue_sim.dialects.wire import base_asset, text, to_ms, wall_clock_ms

_LEVELS = {"1": 1, "50": 50, "200": 200, "1000": 1000}
_CONNECTION = "simulated"


class BybitBooks(BookChannel):
    """Snapshot at once, deltas every 20 ms."""

    push_seconds = 0.02
    begins_with_snapshot = True

    def serves(self, path: str) -> bool:
        return path == "/v5/public/linear"

    def hear(self, text: str, session: StreamSession) -> list[str]:
        request = parse_object(text)
        if request is None:
            return [answer({}, success=False, message="error:invalid JSON")]
        topics = request.get("args")
        match request.get("op"):
            case "ping":
                return [answer(request, success=True, message="pong")]
            case "subscribe" if isinstance(topics, list):
                return [self._subscribe(request, [str(topic) for topic in topics], session)]
            case "unsubscribe" if isinstance(topics, list):
                for topic in topics:
                    session.leave(str(topic))
                return [answer(request, success=True, message="")]
        return [answer(request, success=False, message="error:request params")]

    def _subscribe(self, request: dict[str, Any], topics: list[str], session: StreamSession) -> str:
        """All of them, or none where one is wrong."""
        for topic in topics:
            if session.is_followed(topic):
                return answer(request, success=False, message=f"error:already subscribed,topic:{topic}")
            if self._book_of(topic) is None:
                return answer(request, success=False, message=f"error:handler not found,topic:{topic}")
        for topic in topics:
            book = self._book_of(topic)
            if book is not None:
                session.follow(topic, *book)
        return answer(request, success=True, message="")

    def _book_of(self, topic: str) -> tuple[str, int] | None:
        """Symbol and number of levels."""
        channel, _, rest = topic.partition(".")
        depth, _, symbol = rest.partition(".")
        listed = base_asset(symbol)
        if channel != "orderbook" or depth not in _LEVELS or listed not in self._venue.instruments:
            return None
        return listed, _LEVELS[depth]

    def words(self, change: Change) -> Any:
        stamp = to_ms(change.book.time)
        return {
            "topic": change.topic,
            "type": "snapshot" if change.is_snapshot else "delta",
            "ts": stamp,
            "data": {
                "s": venue_symbol(change.book.symbol),
                "b": [[text(level.price), text(level.quantity)] for level in change.bids],
                "a": [[text(level.price), text(level.quantity)] for level in change.asks],
                "u": change.number,
                "seq": change.book.update_id,
            },
            "cts": stamp,
        }


def answer(request: dict[str, Any], *, success: bool, message: str) -> str:
    """What the venue says of a request."""
    content = {
        "success": success,
        "ret_msg": message,
        "conn_id": f"{_CONNECTION}-{wall_clock_ms()}",
        "req_id": str(request.get("req_id", "")),
        "op": request.get("op", ""),
    }
    return json_text(content)
