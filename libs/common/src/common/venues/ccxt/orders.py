"""Sending orders over ccxt: the one module that can change a position.

A send ends in exactly one of: a report, `OrderRejected`, `OrderNotSent`, `OrderOutcomeUnknown`. Nothing is
repeated, neither here nor in ccxt nor in its HTTP client (which repeats GET only).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ccxt.base import errors as ccxt_errors

from common.venues.ccxt.account import CcxtAccount
from common.venues.ccxt.exchanges import request_departed, signed_at_ms
from common.venues.ccxt.facts import VenueFacts
from common.venues.ccxt.failures import UNREADABLE, order_error, reading
from common.venues.ccxt.markets import Markets, decimal
from common.venues.errors import OrderNotSent, VenueError
from common.venues.ports import OrderIntent, OrderReport, OrderState
from common.venues.urgency import urgently


class CcxtOrderDesk:
    """`OrderDesk` over one ccxt exchange; `account` looks orders up on the same exchange."""

    def __init__(self, markets: Markets, facts: VenueFacts, account: CcxtAccount) -> None:
        self.venue = markets.venue
        self._markets = markets
        self._exchange = markets.exchange
        self._facts = facts
        self._account = account

    async def send(self, intent: OrderIntent) -> OrderReport:
        unified, amount = await self._prepare(intent)
        request_departed.set(False)
        try:
            with urgently():
                raw = await self._create(intent, unified, amount)
                return await self._accepted(intent, raw)
        except (ccxt_errors.BaseError, *UNREADABLE) as error:
            raise order_error(self.venue, self._facts, error, departed=request_departed.get()) from error

    async def _create(self, intent: OrderIntent, unified: str, amount: float) -> Any:
        client_order_id = self._facts.client_order_id_form.format(intent.client_order_id)
        parameters: dict[str, Any] = {"clientOrderId": client_order_id, "reduceOnly": intent.reduce_only}
        price = None
        if self._facts.market_order_slippage is not None:
            price = f"{intent.reference_price:f}"
            parameters["slippage"] = self._facts.market_order_slippage
        decided = intent.signed_at_seconds
        token = signed_at_ms.set(None if decided is None else int(decided * 1000))
        try:
            return await self._exchange.create_order(unified, "market", intent.side.value, amount, price, parameters)
        finally:
            signed_at_ms.reset(token)

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        with reading(self.venue), urgently():
            unified = await self._markets.unified(symbol)
            try:
                spelled = self._facts.client_order_id_form.format(client_order_id)
                parameters = {self._facts.client_order_id_parameter: spelled}
                await self._exchange.cancel_order("", unified, parameters)
            except (ccxt_errors.OrderNotFound, ccxt_errors.CancelPending):
                return

    async def _prepare(self, intent: OrderIntent) -> tuple[str, float]:
        """ccxt's name and amount; whatever fails here, nothing was sent.

        ccxt cuts an amount to the lot step without a word, so one that is off the step is refused.
        """
        try:
            with reading(self.venue):
                market = await self._markets.market(intent.symbol)
                contracts = intent.quantity / decimal(market["contractSize"])
                exact = Decimal(self._exchange.amount_to_precision(market["symbol"], float(contracts)))
        except VenueError as error:
            raise OrderNotSent(self.venue, error.message, error.code) from error
        halted = self._markets.halted(intent.symbol)
        if halted and not intent.reduce_only:
            raise OrderNotSent(self.venue, halted)
        if exact != contracts:
            raise OrderNotSent(self.venue, f"quantity {intent.quantity} of {intent.symbol} is off the lot step")
        return market["symbol"], float(contracts)

    async def _accepted(self, intent: OrderIntent, raw: Mapping[str, Any]) -> OrderReport:
        """The venue took the order; where its answer is not the end of it, it is asked once.

        An answer without an order id is none: the order may or may not be there.
        """
        if not isinstance(raw, Mapping) or not raw.get("id"):
            raise ValueError("an answer without an order id")
        if raw["status"] not in (None, "open"):
            return self._account.report(intent.client_order_id, raw)
        working = OrderReport(intent.client_order_id, raw["id"], OrderState.WORKING, Decimal(0), None)
        try:
            asked = await self._account.order(intent.symbol, intent.client_order_id)
        except VenueError:
            return working
        return asked or working
