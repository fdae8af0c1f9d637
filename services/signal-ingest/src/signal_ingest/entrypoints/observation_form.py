"""A posted observation as JSON: its exact form, and how it becomes one of the domain's.

Strict: a field nobody knows, a number that is not finite or a time without a zone is refused by name.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    WithJsonSchema,
    model_validator,
)

from common.domain.identifiers import SYMBOL_PATTERN, VENUE_PATTERN
from common.domain.spread import entry_spread_metric
from common.runtime.inputs import Time
from signal_ingest.domain.observation import CallerPrediction, LegQuote, Observation

FACTORS_MAX = 64

PRICE_MIN, PRICE_MAX = Decimal("1e-12"), Decimal("1e9")
PRICE_TEXT = (
    r"^(0\.0{0,11}[1-9][0-9]{0,29}|[1-9][0-9]{0,8}(\.[0-9]{1,30})?"
    r"|[1-9](\.[0-9]{1,30})?[eE](-0?[1-9]|-1[0-2]|\+?0?[0-8]))$"
)
"""All that lies within the bounds, as digits or with an exponent, and nothing else that Python reads as a number."""


_ALLOWED = f"a price from {PRICE_MIN} to {PRICE_MAX:f}: a number, or text of digits with a point or an exponent"


def _plain(price: object) -> object:
    if isinstance(price, str) and not re.fullmatch(PRICE_TEXT, price):
        raise ValueError(_ALLOWED)
    return price


def _within_bounds(price: Decimal) -> Decimal:
    if not PRICE_MIN <= price <= PRICE_MAX:
        raise ValueError(_ALLOWED)
    return price


Price = Annotated[
    Decimal,
    BeforeValidator(_plain),
    AfterValidator(_within_bounds),
    Field(strict=False, allow_inf_nan=False),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": float(PRICE_MIN), "maximum": float(PRICE_MAX)},
                {"type": "string", "pattern": PRICE_TEXT},
            ]
        }
    ),
]
FundingRate = Annotated[FiniteFloat, Field(ge=-1, le=1)]
IntervalHours = Annotated[FiniteFloat, Field(gt=0, le=168)]
FactorName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,63}$")]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LegForm(_Form):
    """One venue's side. `price` in USDT as number or text, `funding_rate` as a fraction per interval."""

    venue: str = Field(pattern=VENUE_PATTERN, examples=["binance"])
    price: Price
    funding_rate: FundingRate | None = None
    funding_interval_hours: IntervalHours | None = None
    next_funding_at: Time | None = None


class ObservationForm(_Form):
    """One observation. `spread` is ln(short price / long price) where it is not given."""

    symbol: str = Field(pattern=SYMBOL_PATTERN, examples=["SOL"])
    type: Literal["A", "B", "C"]
    observed_at: Time | None = Field(None, description="RFC 3339 with a zone; the service's time if left out")
    long: LegForm
    short: LegForm
    spread: Annotated[FiniteFloat, Field(ge=-10, le=10)] | None = None
    factors: dict[FactorName, FiniteFloat] = Field(default_factory=dict, max_length=FACTORS_MAX)
    pnl_hat: Annotated[FiniteFloat, Field(ge=-1, le=1)] | None = None
    win_prob: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = None
    horizon_min: Annotated[FiniteFloat, Field(gt=0, le=100_000)] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "ObservationForm":
        if self.type == "B" and self.long.venue == self.short.venue:
            raise ValueError("type B needs two different venues, long.venue and short.venue")
        if self.spread is not None and self.spread * float(self.short.price - self.long.price) < 0:
            raise ValueError("spread must have the sign of ln(short.price / long.price)")
        return self

    def observation(self, now: datetime) -> Observation:
        """As the domain's; `now` is the time of one that has none."""
        metric = entry_spread_metric(self.long.price, self.short.price)
        return Observation(
            symbol=self.symbol,
            type=self.type,
            observed_at=self.observed_at.astimezone(UTC) if self.observed_at else now,
            long=_quote(self.long),
            short=_quote(self.short),
            spread=metric if self.spread is None else self.spread,
            factors=self.factors,
            caller=CallerPrediction(self.pnl_hat, self.win_prob, self.horizon_min),
        )


def _quote(leg: LegForm) -> LegQuote:
    next_at = leg.next_funding_at.astimezone(UTC) if leg.next_funding_at else None
    return LegQuote(leg.venue, leg.price, leg.funding_rate, leg.funding_interval_hours, next_at)


def form_schema(venues: Iterable[str]) -> dict[str, Any]:
    """The form's JSON schema without references, for the request body in OpenAPI; a venue is one of `venues`."""
    schema = ObservationForm.model_json_schema()
    leg = schema.pop("$defs")["LegForm"]
    leg["properties"]["venue"]["enum"] = sorted(venues)
    schema["properties"]["factors"]["additionalProperties"] = False
    schema["properties"] |= {"long": leg, "short": leg}
    return schema
