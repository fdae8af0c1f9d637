"""Hyperliquid's stream of order books: `l2Book`, the best levels of both sides anew each time."""

from typing import Any

from venue_sim.dialects.hyperliquid.market_endpoints import LEVELS_MAX, book_fields
from venue_sim.dialects.streams import BookChannel, Change, StreamSession, json_text, parse_object

_CHANNEL = "l2Book"


class HyperliquidBooks(BookChannel):
    """Whole books, half a second apart at the least."""

    push_seconds = 0.5
    begins_with_snapshot = True

    def serves(self, path: str) -> bool:
        return path == "/ws"

    def hear(self, text: str, session: StreamSession) -> list[str]:
        request = parse_object(text)
        method = request.get("method") if request else None
        if method == "ping":
            return [_said("pong", None)]
        if request is None or method not in ("subscribe", "unsubscribe"):
            return [_said("error", f"Error parsing JSON into valid websocket request: {text}")]
        wanted = request.get("subscription")
        coin = wanted.get("coin") if isinstance(wanted, dict) and wanted.get("type") == _CHANNEL else None
        if coin not in self._venue.instruments:
            return [_said("error", f"Invalid subscription {json_text(wanted)}")]
        if session.is_followed(coin) == (method == "subscribe"):
            return [_said("error", f"Already {method}d: {json_text(wanted)}")]
        if method == "subscribe":
            session.follow(coin, coin, LEVELS_MAX)
        else:
            session.leave(coin)
        subscription = {"type": _CHANNEL, "coin": coin, "nSigFigs": None, "mantissa": None}
        return [_said("subscriptionResponse", {"method": method, "subscription": subscription})]

    def words(self, change: Change) -> Any:
        return {"channel": _CHANNEL, "data": book_fields(change.book)}


def _said(channel: str, content: Any) -> str:
    return json_text({"channel": channel} if content is None else {"channel": channel, "data": content})
