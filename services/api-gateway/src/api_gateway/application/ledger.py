"""Rows of the ledger, as the figures of the domain want them."""

from collections.abc import Sequence

from api_gateway.application.views import Fill, Funding, Order, SignalDetail
from api_gateway.domain.figures import FinalFigures, LedgerFill, LedgerFunding, LedgerOrder
from common.domain.identifiers import Leg, Purpose, Side


def ledger_orders(orders: Sequence[Order]) -> list[LedgerOrder]:
    """Orders as far as they filled."""
    return [
        LedgerOrder(order.id, Leg(order.leg), Purpose(order.purpose), order.filled_quantity, order.average_price)
        for order in orders
    ]


def ledger_fills(fills: Sequence[Fill]) -> list[LedgerFill]:
    """Executions."""
    return [LedgerFill(fill.order_id, Side(fill.side), fill.price, fill.quantity, fill.fee_usdt) for fill in fills]


def ledger_funding(payments: Sequence[Funding]) -> list[LedgerFunding]:
    """Settlements."""
    return [LedgerFunding(Leg(payment.leg), payment.amount_usdt) for payment in payments]


def final_figures(signal: SignalDetail) -> FinalFigures | None:
    """What the executor fixed; None until the trade is finalised."""
    if signal.finalised_at is None:
        return None
    return FinalFigures(signal.spread_pnl_usdt, signal.fees_usdt, signal.funding_usdt, signal.net_pnl_usdt)
