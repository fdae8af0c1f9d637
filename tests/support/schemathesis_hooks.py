"""What Schemathesis cannot read from signal-ingest's OpenAPI document; `schemathesis.toml` names this file."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A batch as it goes out."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Makes a body that the schema allows fit what no schema can say: of two fields together, of now, of listings."""
    is_posted = context.operation is not None and context.operation.label == "POST /signals"
    if not is_posted or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    sent: Any = case.body
    body = {name: value for name, value in sent.items() if name not in ("spread", "observed_at")}
    if body["type"] == "B" and body["long"]["venue"] == body["short"]["venue"]:
        body["long"] = {**body["long"], "venue": "binance"}
        body["short"] = {**body["short"], "venue": "bybit"}
    case.body = {**body, "symbol": "SOL"}
