"""The final account of a closed trade, from the fills and payments that the venues' own ledgers hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from common.domain.identifiers import Side


@dataclass(frozen=True, slots=True)
class BookedFill:
    """One execution: base quantity, price in USDT, and its fee where it is known."""

    side: Side
    price: Decimal
    quantity: Decimal
    fee_usdt: Decimal | None


@dataclass(frozen=True, slots=True)
class FinalAccount:
    """What a trade made, in USDT. `net_pnl_usdt` = sold - bought + funding - fees, to the last digit."""

    spread_pnl_usdt: Decimal
    fees_usdt: Decimal
    funding_usdt: Decimal

    @property
    def net_pnl_usdt(self) -> Decimal:
        """Spread P&L plus funding less fees."""
        return self.spread_pnl_usdt + self.funding_usdt - self.fees_usdt


def final_account(fills: Iterable[BookedFill], funding_usdt: Iterable[Decimal]) -> FinalAccount | None:
    """Sums a trade up; None while the fee of any fill is unknown, because unknown is never zero."""
    spread = fees = Decimal(0)
    for fill in fills:
        if fill.fee_usdt is None:
            return None
        notional = fill.price * fill.quantity
        spread += notional if fill.side is Side.SELL else -notional
        fees += fill.fee_usdt
    return FinalAccount(spread, fees, sum(funding_usdt, Decimal(0)))


def was_held(changes: Sequence[tuple[datetime, Decimal]], at: datetime) -> bool:
    """Whether a settlement at that time was on a leg whose quantity its fills changed so, in base units.

    The leg held something just before that moment, or traded in it: which of a fill and a settlement of the same moment
    came first, no venue tells.
    """
    before = sum((change for moment, change in changes if moment < at), Decimal(0))
    return before != 0 or any(moment == at for moment, _ in changes)
