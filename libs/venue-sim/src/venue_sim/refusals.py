"""Why a venue refuses a request, in the simulator's own words; each dialect has its codes and texts for them."""

from enum import StrEnum


class Reason(StrEnum):
    """Every reason the venue's ledger and market can refuse for."""

    UNKNOWN_SYMBOL = "unknown_symbol"
    QUANTITY_NOT_POSITIVE = "quantity_not_positive"
    QUANTITY_STEP = "quantity_step"
    QUANTITY_BELOW_MIN = "quantity_below_min"
    QUANTITY_ABOVE_MAX = "quantity_above_max"
    NOTIONAL_BELOW_MIN = "notional_below_min"
    MARGIN_INSUFFICIENT = "margin_insufficient"
    REDUCE_ONLY_WITHOUT_POSITION = "reduce_only_without_position"
    REDUCE_ONLY_SAME_SIDE = "reduce_only_same_side"
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    ORDER_NOT_FOUND = "order_not_found"
    ORDER_NOT_OPEN = "order_not_open"
    NOTHING_TO_TRADE = "nothing_to_trade"
    POSITION_MODE_MISMATCH = "position_mode_mismatch"
    POSITION_MODE_UNCHANGED = "position_mode_unchanged"
    POSITION_MODE_WITH_POSITION = "position_mode_with_position"
    LEVERAGE_OUT_OF_RANGE = "leverage_out_of_range"
    LEVERAGE_UNCHANGED = "leverage_unchanged"
    MARGIN_MODE_UNCHANGED = "margin_mode_unchanged"
    MARGIN_MODE_WITH_POSITION = "margin_mode_with_position"


class Refusal(Exception):
    """The venue says no and nothing has changed. `detail` is the figure that matters, where there is one."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
