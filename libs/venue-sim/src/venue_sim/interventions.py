"""What happens at a venue without an order of the trader: somebody closes or opens by hand, the venue liquidates or
deleverages a position, or changes the rules of a contract. The model of it; `Venue.intervene` does it."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

Quantity = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]


class InterventionKind(StrEnum):
    """Every kind of intervention."""

    EXTERNAL_CLOSE = "external_close"
    EXTERNAL_OPEN = "external_open"
    LIQUIDATE = "liquidate"
    DELEVERAGE = "deleverage"
    CHANGE_RULES = "change_rules"


_TAKES: dict[InterventionKind, frozenset[str]] = {
    InterventionKind.EXTERNAL_CLOSE: frozenset({"quantity"}),
    InterventionKind.EXTERNAL_OPEN: frozenset({"quantity", "side"}),
    InterventionKind.LIQUIDATE: frozenset({"quantity"}),
    InterventionKind.DELEVERAGE: frozenset({"quantity"}),
    InterventionKind.CHANGE_RULES: frozenset({"quantity_step", "quantity_min", "contract_size"}),
}


class Intervention(BaseModel):
    """One intervention in one symbol. Quantities in base units; closing without a quantity takes all that is held."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: InterventionKind
    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9]+$")]
    quantity: Quantity | None = None
    side: Literal["buy", "sell"] = "buy"
    quantity_step: Quantity | None = None
    quantity_min: Quantity | None = None
    contract_size: Quantity | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        takes = _TAKES[self.kind]
        for name in self.model_fields_set - takes - {"kind", "symbol", "at"}:
            raise ValueError(f"{name}: {self.kind} has no such parameter; it takes {', '.join(sorted(takes))}")
        if self.kind is InterventionKind.EXTERNAL_OPEN and self.quantity is None:
            raise ValueError("quantity: is missing; external_open needs it")
        if self.kind is InterventionKind.CHANGE_RULES and not self.changed_rules():
            raise ValueError("quantity_step: is missing; change_rules needs it, quantity_min or contract_size")
        return self

    def changed_rules(self) -> dict[str, Decimal]:
        """The rules of the contract that it changes."""
        rules = {name: getattr(self, name) for name in _TAKES[InterventionKind.CHANGE_RULES]}
        return {name: value for name, value in rules.items() if value is not None}


class ScriptedIntervention(Intervention):
    """An intervention of a scenario: it happens at the market time `at`."""

    at: AwareDatetime
