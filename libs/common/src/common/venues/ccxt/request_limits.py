"""How many requests each venue documents that it answers, and what the requests that we send cost of that.

Figures are the venues' public documentation of November 2026, the stricter one where they differ by account. Where a
venue limits each endpoint by itself, a request costs the share of the budget that lets no mixture of requests exceed
any endpoint's own limit: a hundredth of the budget where a hundred are allowed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor

ADDRESS, ACCOUNT = "address", "account"
"""What a venue counts by: the internet address that asks, or the account that a request is signed for."""
CONNECTIONS = "connections"
"""New connections for streams, which are counted by address too, apart from requests."""


@dataclass(frozen=True, slots=True)
class Budget:
    """`units` in any `window_seconds`, as the venue documents it.

    It is leased by the `lease_seconds` of unix time, in such portions that no span of a window's length, wherever it
    begins, can hold more leases than the venue allows. `reserve_percent` of each lease is kept for what is urgent.
    """

    units: int
    window_seconds: int
    lease_seconds: int
    reserve_percent: int = 25

    @property
    def leased_units(self) -> int:
        """What all processes together may spend between two multiples of `lease_seconds`."""
        touched = ceil(self.window_seconds / self.lease_seconds) + 1
        return floor(self.units / touched)

    @property
    def reserve_units(self) -> int:
        """The part of `leased_units` that only urgent requests may use."""
        return ceil(self.leased_units * self.reserve_percent / 100)

    @property
    def ordinary_units(self) -> int:
        """The part that every request may use."""
        return self.leased_units - self.reserve_units


Cost = Mapping[str, int]
"""Units by budget."""


@dataclass(frozen=True, slots=True)
class MessageLimit:
    """How many messages one connection may be sent in any `window_seconds`, pings of one word not counted.

    What a venue says of a second is not here: ccxt sends no faster (`options.ws.cost`).
    """

    number: int
    window_seconds: int


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """A venue's budgets, and the costs of requests: the first pattern that is found in `METHOD path [type]` counts.

    A connection for streams is a request with the method `CONNECT`.
    """

    budgets: Mapping[str, Budget]
    costs: tuple[tuple[str, Cost], ...]
    messages: MessageLimit | None = None

    def cost_of(self, method: str, path: str, body: str | None) -> Cost:
        """What one request costs; where a venue has one path for all, the body says what is asked."""
        kind = _KIND.search(body) if body else None
        asked = f"{method} {path} {kind[1] if kind else ''}"
        return next(cost for pattern, cost in self.costs if re.search(pattern, asked))


_KIND = re.compile(r'"type"\s*:\s*"(\w+)"')

_CONNECTION: tuple[str, Cost] = (r"^CONNECT ", {CONNECTIONS: 1})


def _connections(units: int, window_seconds: int, lease_seconds: int) -> dict[str, Budget]:
    """Nothing of them is kept back: who closes a trade needs no stream."""
    return {CONNECTIONS: Budget(units, window_seconds, lease_seconds, reserve_percent=0)}


REQUEST_LIMITS: Mapping[str, RequestLimits] = {
    "binance": RequestLimits(
        budgets={ADDRESS: Budget(2400, 60, 5), ACCOUNT: Budget(1200, 60, 2), **_connections(300, 300, 60)},
        costs=(
            _CONNECTION,
            (r"POST /fapi/v1/order ", {ACCOUNT: 1}),
            (r"GET /fapi/v1/depth ", {ADDRESS: 2}),
            (r"GET /fapi/v1/premiumIndex ", {ADDRESS: 10}),
            (r"GET /fapi/v1/positionSide/dual ", {ADDRESS: 30}),
            (r"GET /fapi/v1/income ", {ADDRESS: 30}),
            (r"GET /fapi/v1/ticker", {ADDRESS: 5}),
            (r"GET /fapi/v1/(time|exchangeInfo|fundingInfo|order|leverageBracket) ", {ADDRESS: 1}),
            (r"(POST|PUT|DELETE) /fapi/v1/", {ADDRESS: 1}),
            (r".", {ADDRESS: 5}),
        ),
    ),
    "bybit": RequestLimits(
        budgets={ADDRESS: Budget(600, 5, 1), ACCOUNT: Budget(100, 1, 1, 40), **_connections(500, 300, 60)},
        costs=(
            _CONNECTION,
            (r"/v5/market/", {ADDRESS: 1}),
            (r"POST /v5/", {ADDRESS: 1, ACCOUNT: 10}),
            (
                r"GET /v5/(order/realtime|position/list|account/wallet-balance|execution/list) ",
                {ADDRESS: 1, ACCOUNT: 2},
            ),
            (r".", {ADDRESS: 1, ACCOUNT: 10}),
        ),
    ),
    "okx": RequestLimits(
        budgets={ADDRESS: Budget(120, 2, 2, 40), ACCOUNT: Budget(120, 2, 2, 40), **_connections(3, 1, 1)},
        costs=(
            _CONNECTION,
            (r"/public/time ", {ADDRESS: 12}),
            (r"/market/books ", {ADDRESS: 3}),
            (r"/(public|market)/", {ADDRESS: 6}),
            (r"/trade/(order|cancel-order) ", {ACCOUNT: 2}),
            (r"/account/(leverage-info|set-leverage) ", {ACCOUNT: 6}),
            (r"/(account/(balance|positions)|trade/fills-history) ", {ACCOUNT: 12}),
            (r".", {ACCOUNT: 24}),
        ),
        messages=MessageLimit(480, 3600),
    ),
    "bitget": RequestLimits(
        budgets={ADDRESS: Budget(100, 1, 1, 40), ACCOUNT: Budget(100, 1, 1, 40), **_connections(300, 300, 60)},
        costs=(
            _CONNECTION,
            (r"/(public|market)/", {ADDRESS: 5}),
            (r"/order/(place-order|detail|cancel-order|fills) ", {ACCOUNT: 10}),
            (r"/account/(account|accounts|bill) ", {ACCOUNT: 10}),
            (r".", {ACCOUNT: 20}),
        ),
        messages=MessageLimit(240, 3600),
    ),
    "gate": RequestLimits(
        budgets={ADDRESS: Budget(200, 10, 2), ACCOUNT: Budget(200, 10, 2), **_connections(300, 300, 60)},
        costs=(
            _CONNECTION,
            (r"GET .*/futures/usdt/(contracts|order_book|tickers|funding_rate)|/spot/time", {ADDRESS: 1}),
            (r".", {ACCOUNT: 1}),
        ),
    ),
    "hyperliquid": RequestLimits(
        budgets={ADDRESS: Budget(1200, 60, 5), **_connections(30, 60, 10)},
        costs=(
            _CONNECTION,
            (r"POST /exchange ", {ADDRESS: 1}),
            (r"POST /info (l2Book|allMids|clearinghouseState|orderStatus|exchangeStatus)$", {ADDRESS: 2}),
            (r".", {ADDRESS: 20}),
        ),
        messages=MessageLimit(2000, 60),
    ),
}
"""By wire protocol."""
