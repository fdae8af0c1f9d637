"""Hyperliquid's texts; it has no codes. A request fails as a whole, or the one order in it does."""

from decimal import Decimal

from venue_sim.dialects.rest import ApiError, Texts, words_of
from venue_sim.refusals import Reason, Refusal


class HyperliquidError(ApiError):
    """A whole request: `{"status": "err", "response": text}`."""

    def __init__(self, message: str) -> None:
        super().__init__("", message)


class ActionError(HyperliquidError):
    """One order or cancel inside of a request that was accepted; the text names the asset."""

    def __init__(self, kind: str, message: str, asset: int | None) -> None:
        super().__init__(message if asset is None else f"{message} asset={asset}")
        self.kind = kind


class UnreadableError(HyperliquidError):
    """A body that is not what the endpoint takes: 422 and plain text."""

    def __init__(self) -> None:
        super().__init__("Failed to deserialize the JSON body into the target type")
        self.status = 422


class NothingError(HyperliquidError):
    """What is asked for does not exist: 500 and `null`."""

    def __init__(self) -> None:
        super().__init__("null")
        self.status = 500


NEVER_PLACED = "Order was never placed, already canceled, or filled."
NO_MATCH = "Order could not immediately match against any resting orders."
WRONG_SIZE = "Order has invalid size."
WRONG_PRICE = "Price must be divisible by tick size."
DUPLICATE = "Duplicate cloid."


def _minimum(detail: str) -> tuple[str, str]:
    return "", f"Order must have minimum value of ${Decimal(detail):f}."


_TEXTS: Texts = {
    Reason.UNKNOWN_SYMBOL: ("", "Order has invalid asset."),
    Reason.QUANTITY_NOT_POSITIVE: ("", "Order has zero size."),
    Reason.QUANTITY_STEP: ("", WRONG_SIZE),
    Reason.QUANTITY_BELOW_MIN: ("", WRONG_SIZE),
    Reason.QUANTITY_ABOVE_MAX: ("", WRONG_SIZE),
    Reason.NOTIONAL_BELOW_MIN: _minimum,
    Reason.MARGIN_INSUFFICIENT: ("", "Insufficient margin to place order."),
    Reason.REDUCE_ONLY_WITHOUT_POSITION: ("", "Reduce only order would increase position."),
    Reason.REDUCE_ONLY_SAME_SIDE: ("", "Reduce only order would increase position."),
    Reason.DUPLICATE_CLIENT_ID: ("", DUPLICATE),
    Reason.ORDER_NOT_FOUND: ("", NEVER_PLACED),
    Reason.ORDER_NOT_OPEN: ("", NEVER_PLACED),
    Reason.LEVERAGE_OUT_OF_RANGE: ("", "Invalid leverage value."),
    Reason.MARGIN_MODE_WITH_POSITION: ("", "Cannot switch leverage type with open position."),
}


def refusal_text(refusal: Refusal) -> str:
    """The refusal in Hyperliquid's words."""
    return words_of(_TEXTS, refusal, ("", "Internal error"))[1]
