"""Examples of answers: each field shows what its schema says, or what its name does, and always something that fits."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field

from common.runtime.examples import TIME, UNNAMED, show_examples
from support.examples import answers, wrong_examples


class Leg(BaseModel):
    venue: str
    average_price: Decimal | None


class Answer(BaseModel):
    symbol: str
    made_at: datetime
    status: Literal["waiting", "open"]
    mood: Literal["fine", "bad"]
    kind: int
    told: str = Field(examples=["it is done"])
    reason: str | None
    closed_at: datetime | None
    net_pnl_usdt: Decimal
    legs: dict[Literal["long", "short"], Leg]
    services: dict[str, list[Leg]]
    evidence: dict[str, Any]


def document(answer: type[BaseModel]) -> dict[str, Any]:
    app = FastAPI()
    show_examples(app)

    @app.get("/answer", response_model=answer, responses={202: {"model": answer}, 404: {"model": answer}})
    def _() -> None: ...

    assert app.openapi() is app.openapi()
    return app.openapi()


def test_an_example_is_put_together_from_the_fields() -> None:
    found = document(Answer)
    assert wrong_examples(found) == []
    shown = dict(answers(found))
    assert list(shown) == ["get /answer 200", "get /answer 202"]
    leg = {"venue": "binance", "average_price": "181.2"}
    assert shown["get /answer 200"]["example"] == {
        "symbol": "SOL",
        "made_at": TIME,
        "status": "open",
        "mood": "fine",
        "kind": 1,
        "told": "it is done",
        "reason": None,
        "closed_at": None,
        "net_pnl_usdt": "0.31",
        "legs": {"long": leg, "short": leg},
        "services": {"executor": [leg]},
        "evidence": {"entry_spread_pct": 0.012},
    }


def test_what_has_no_example_or_a_wrong_one_is_found() -> None:
    class Odd(BaseModel):
        colour: str
        size: int = Field(examples=["large"])

    found = document(Odd)
    assert [line.partition(":")[0] for line in wrong_examples(found)] == [
        f"get /answer {status}{end}" for status in (200, 202) for end in ("", " has a text that nothing is known of")
    ]
    [content, *_] = [content for _, content in answers(found)]
    assert content["example"]["colour"] == UNNAMED
    del found["paths"]["/answer"]["get"]["responses"]["202"]
    del found["paths"]["/answer"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    assert wrong_examples(found) == ["get /answer 200 has no example"]
