"""An example of every answer in a service's OpenAPI document, put together from the answer's own schema.

A field shows what its schema says (`examples`, a constant, the first of a closed list), or else what fields of its name
show everywhere: one table serves all services, and no whole answer is written down, where it would become untrue.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

TIME = "2026-11-22T12:00:00Z"
UNNAMED = "text"
"""What a text or a key shows whose name says nothing; no answer of ours has one."""

_SPREAD = 0.012
_FIGURES = {"entry_spread_pct": _SPREAD}
_BY_NAME: dict[str, Any] = {
    "LIVE_TRADING_MODE": {"value": "paper", "source": "default"},
    "about": "SOL",
    "buy": "181.3",
    "by": "operator:desk",
    "clock_offset_seconds": 0.004,
    "client_order_id": "7a4d5f0c91e24b7da1000000000101",
    "consumer": "executor-closes",
    "decision": "opened",
    "detail": {"venue": "bybit"},
    "difference": "0",
    "errors": {"field": "short.price", "value": 0, "allowed": "a price above zero"},
    "event": {"event_id": 7, "version": 3, "type": "B", "symbol": "SOL", "status": "open"},
    "evidence": _FIGURES,
    "execution": _FIGURES,
    "exit_reason": "take_profit",
    "factors": {"spread": {"count": 3, "min": 0.011, "max": 0.013, "mean": _SPREAD}},
    "figures": _FIGURES,
    "fill_id": "81",
    "hour": 0.00001,
    "id": 7,
    "left": 960,
    "key": "opened-7",
    "kind": "unwind_loss",
    "message": "unwinding cost more than its budget",
    "min": 240.0,
    "missed_looks": 0,
    "mode": "paper",
    "mult": 1.5,
    "name": "desk",
    "next": 7,
    "notional_usdt": "90.6",
    "observation": {"spread": _SPREAD},
    "order_key": "7a4d5f0c91e24b7d",
    "payload": {"scale_in": {"entries_count": 1}},
    "payment_id": "81",
    "plan": {"long_venue": "binance", "short_venue": "bybit", "quantity": "0.5"},
    "pnl": 0.007,
    "pnl_complete": False,
    "postgres": "ok",
    "price": "181.2",
    "prob": 0.8,
    "problems": [],
    "quantity": "0.5",
    "reason": "below_threshold",
    "recorded": {"entries_count": 1},
    "reduce_only": False,
    "reduced_quantity": "0",
    "refusal": "below_threshold",
    "request_id": "close-7-operator-1",
    "reserve": 480,
    "seconds": 60,
    "see": "/api/live_trading/signals/7",
    "sell": "181.1",
    "service": "executor",
    "share": 0.75,
    "short_venue": "bybit",
    "snapshot": {"execution": _FIGURES},
    "source": "reversion",
    "state": "delivered",
    "status": "open",
    "symbol": "SOL",
    "title": "Tandem: SOL opened",
    "type": "B",
    "units": 1200,
    "url": "http://127.0.0.1:4012",
    "usdt": "0.31",
    "value": "paper",
    "venue": "binance",
    "venue_order_id": "10481",
    "verdict": "hold",
    "waited_seconds": 0.412,
    "what": "the trade is open",
}
"""By a field's name or, where that is not here, by the last word of it, if the value is of the field's type."""

_NOT_YET = frozenset(
    {
        *("banned_until", "csrf_token", "error", "next_attempt_at", "problem", "reason", "reason_evidence", "refusal"),
        *("average_exit_price", "funding_usdt", "spread_pnl_usdt"),
        *("close_evidence", "close_reason", "close_requested_at", "closed_at", "finalised_at", "net_pnl_usdt"),
    }
)
"""Null where that is allowed: the examples are of a trade that is open, and of services that are well."""

_KEYS = {
    "budgets": "requests",
    "by_status": "open",
    "dependencies": "postgres",
    "live_trading_config": "LIVE_TRADING_MODE",
    "services": "executor",
    "settings": "LIVE_TRADING_MODE",
    "venues": "binance",
}
"""What a field that is a mapping has as its key."""

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "array": list,
}


def show_examples(app: FastAPI) -> None:
    """Gives the application's OpenAPI document an example of every answer of success."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        is_new = app.openapi_schema is None
        document = plain()
        if is_new:
            add_examples(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI gives


def add_examples(document: Mapping[str, Any]) -> None:
    """Gives every JSON answer of success in an OpenAPI document its example."""
    schemas = document.get("components", {}).get("schemas", {})
    for path in document["paths"].values():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {}).get("application/json")
                if status.startswith("2") and content is not None:
                    content["example"] = example_of(content["schema"], schemas)


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "") -> Any:
    """A value that fits the schema; `name` is that of the field that holds it, `schemas` are what it may refer to."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    if "examples" in schema:
        return schema["examples"][0]
    for said in ("const", "default"):
        if schema.get(said):
            return schema[said]
    if "anyOf" in schema:
        may_be_null = {"type": "null"} in schema["anyOf"]
        return None if may_be_null and name in _NOT_YET else example_of(schema["anyOf"][0], schemas, name)
    if "properties" in schema:
        return {field: example_of(inner, schemas, field) for field, inner in schema["properties"].items()}
    if isinstance(inner := schema.get("additionalProperties"), Mapping):
        keys = schema.get("propertyNames", {}).get("enum") or [_KEYS.get(name, UNNAMED)]
        return {key: example_of(inner, schemas, key) for key in keys}
    return _plain(schema, schemas, name)


def _plain(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str) -> Any:
    if schema.get("format") == "date-time":
        return TIME
    for known in (name, name.rpartition("_")[2]):
        value = _BY_NAME.get(known)
        if value is not None and _fits(schema, value):
            return value
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas, name)]
    return {"string": UNNAMED, "boolean": True, "integer": 1, "number": _SPREAD}.get(schema.get("type", ""), {})


def _fits(schema: Mapping[str, Any], value: Any) -> bool:
    return isinstance(value, _TYPES.get(schema.get("type", ""), object)) and value in schema.get("enum", [value])
