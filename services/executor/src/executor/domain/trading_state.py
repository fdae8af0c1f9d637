"""What may be sent in which trading state. One table; the order desk itself enforces it.

A halt stops everything that Tandem would start by itself. It does not stop the unwinding of a leg whose partner did not
fill: that leg was sent before the halt, and a stray leg is what a halt is meant to prevent.
"""

from enum import StrEnum

from common.domain.identifiers import Purpose


class TradingState(StrEnum):
    """Set by an operator, or by a rail that was hit."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class Authority(StrEnum):
    """On whose behalf an order goes out."""

    STRATEGY = "strategy"
    OPERATOR = "operator"


_STRATEGY_MAY: dict[TradingState, frozenset[Purpose]] = {
    TradingState.ACTIVE: frozenset({Purpose.OPEN, Purpose.CLOSE, Purpose.UNWIND}),
    TradingState.REDUCING: frozenset({Purpose.CLOSE, Purpose.UNWIND}),
    TradingState.HALTED: frozenset({Purpose.UNWIND}),
}


def may_send(state: TradingState, purpose: Purpose, authority: Authority) -> bool:
    """Whether an order of this purpose may go out; an operator may always reduce."""
    if authority is Authority.OPERATOR:
        return purpose in _STRATEGY_MAY[TradingState.REDUCING]
    return purpose in _STRATEGY_MAY[state]
