"""OKX's codes and texts. An order that is refused is answered inside of an envelope that says only that it failed."""

from venue_sim.dialects.rest import ApiError, Texts, words_of
from venue_sim.refusals import Reason, Refusal


class OkxError(ApiError):
    """An error as OKX puts it: `{"code": ..., "msg": ..., "data": []}`."""


class OkxOrderError(OkxError):
    """An order that was read and refused: code and text are in the order's row, as `sCode` and `sMsg`."""

    def __init__(self, error: ApiError, client_id: str = "") -> None:
        super().__init__(error.code, error.message)
        self.client_id = client_id


_NOT_CANCELLED = ("51400", "Cancellation failed as the order has been filled, canceled or does not exist.")
_WRONG_SIDE = ("51000", "Parameter posSide  error")

_TEXTS: Texts = {
    Reason.UNKNOWN_SYMBOL: ("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist."),
    Reason.QUANTITY_NOT_POSITIVE: ("51000", "Parameter sz  error"),
    Reason.QUANTITY_STEP: ("51121", "Order quantity must be a multiple of the lot size."),
    Reason.QUANTITY_BELOW_MIN: ("51020", "Your order should meet or exceed the minimum order amount."),
    Reason.QUANTITY_ABOVE_MAX: ("51202", "Market order amount exceeds the maximum amount."),
    Reason.MARGIN_INSUFFICIENT: ("51008", "Order failed. Insufficient USDT margin in account "),
    Reason.REDUCE_ONLY_WITHOUT_POSITION: (
        "51169",
        "Order failed because you don't have any positions in this direction for this contract to reduce or close.",
    ),
    Reason.REDUCE_ONLY_SAME_SIDE: (
        "51170",
        "Failed to place order. A reduce-only order can't be the same trading direction as your existing positions.",
    ),
    Reason.DUPLICATE_CLIENT_ID: ("51016", "Client order ID already exists."),
    Reason.ORDER_NOT_FOUND: ("51603", "Order does not exist"),
    Reason.ORDER_NOT_OPEN: _NOT_CANCELLED,
    Reason.POSITION_MODE_MISMATCH: _WRONG_SIDE,
    Reason.POSITION_MODE_WITH_POSITION: (
        "59000",
        "Setting failed. Cancel any open orders, close positions, and stop trading bots first.",
    ),
    Reason.LEVERAGE_OUT_OF_RANGE: ("59102", "Leverage exceeds the maximum limit. Please lower the leverage."),
}


def refusal_error(refusal: Refusal) -> OkxError:
    """The refusal in OKX's words."""
    return OkxError(*words_of(_TEXTS, refusal, ("50026", "System error. Try again later")))


def empty(name: str) -> OkxError:
    """A mandatory parameter that is not there."""
    return OkxError("50014", f"Parameter {name} can not be empty", 400)


def invalid(name: str) -> OkxError:
    """A parameter that cannot be read."""
    return OkxError("51000", f"Parameter {name}  error", 400)
