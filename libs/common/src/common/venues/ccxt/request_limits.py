"""How many requests each venue documents that it answers, and what the requests that we send cost of that.

Each figure was held against the venue's public documentation and ccxt's tables in November 2026; the page is named at
the venue. Where the two differ, or accounts do, the stricter one counts; what neither says costs the most. Where a
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
    """A venue's budgets, and what requests cost: the first pattern that is found in `METHOD path type?query` counts.

    A connection for streams is a request with the method `CONNECT`.
    """

    budgets: Mapping[str, Budget]
    costs: tuple[tuple[str, Cost], ...]
    messages: MessageLimit | None = None

    def cost_of(self, method: str, path: str, body: str | None, query: str = "") -> Cost:
        """What one request costs; where a venue has one path for all, the body says what is asked."""
        kind = _KIND.search(body) if body else None
        asked = f"{method} {path} {kind[1] if kind else ''}" + (f"?{query}" if query else "")
        return next(cost for pattern, cost in self.costs if re.search(pattern, asked))


_KIND = re.compile(r'"type"\s*:\s*"(\w+)"')

_CONNECTION: tuple[str, Cost] = (r"^CONNECT ", {CONNECTIONS: 1})


def _connections(units: int, window_seconds: int, lease_seconds: int) -> dict[str, Budget]:
    """Nothing of them is kept back: who closes a trade needs no stream.

    Where a venue documents how many may be open, and not how many may be begun, no more than those in five minutes.
    """
    return {CONNECTIONS: Budget(units, window_seconds, lease_seconds, reserve_percent=0)}


REQUEST_LIMITS: Mapping[str, RequestLimits] = {
    # developers.binance.com, USDS-margined futures: general-info, "request weight" of each endpoint, `rateLimits` of
    # GET /fapi/v1/exchangeInfo. A book of 50 levels weighs 2, of 500 it is 10, premiumIndex of all symbols 10;
    # bookTicker of all, 5, and the weights of accounts are ccxt's. Orders are counted by account alone; leases of 2 s
    # keep them below 300 in 10 s too, a limit that neither source shows any more. fundingInfo weighs nothing and has
    # a limit of its own, 500 in 5 minutes; it is asked for once a minute. Connections: the pages of these futures name
    # 200 streams of each and no number of connections; 300 in 5 minutes is what the page of spot's WebSocket API says.
    "binance": RequestLimits(
        budgets={ADDRESS: Budget(2400, 60, 5), ACCOUNT: Budget(1200, 60, 2), **_connections(300, 300, 60)},
        costs=(
            _CONNECTION,
            (r"POST /fapi/v1/order ", {ACCOUNT: 1}),
            (r"GET /fapi/v1/depth .*[?&]limit=(5|10|20|50)(&|$)", {ADDRESS: 2}),
            (r"GET /fapi/v1/depth .*[?&]limit=1000(&|$)", {ADDRESS: 20}),
            (r"GET /fapi/v1/depth ", {ADDRESS: 10}),
            (r"GET /fapi/v1/premiumIndex ", {ADDRESS: 10}),
            (r"GET /fapi/v1/positionSide/dual ", {ADDRESS: 30}),
            (r"GET /fapi/v1/income ", {ADDRESS: 30}),
            (r"GET /fapi/v1/ticker", {ADDRESS: 5}),
            (r"GET /fapi/v1/(time|exchangeInfo|fundingInfo|order|leverageBracket) ", {ADDRESS: 1}),
            (r"(POST|PUT|DELETE) /fapi/v1/", {ADDRESS: 1}),
            (r".", {ADDRESS: 5}),
        ),
    ),
    # bybit-exchange.github.io/docs/v5/rate-limit: 600 requests in 5 s an address; by account and second 10 changes of
    # each kind, and 50 readings of orders, executions, positions and balance. ccxt counts 10 of the first three,
    # which the venue's table does not bear out. It does not list account/info. The same page: 500 connections in 5
    # minutes.
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
    # okx.com/docs-v5/en, "rate limit" of each endpoint, in any 2 s: 20 instruments and tickers; 10 times, funding
    # rates (of one instrument, or of ANY) and balances; 5 bills. From ccxt alone: 40 books, 20 looks at and changes
    # of the leverage, 10 positions and fills, 5 account configurations, 60 orders, cancels and looks at an order.
    # Orders are counted for each instrument, here for all of them together. "WebSocket, connect": 3 connections in a
    # second for an address, 480 requests in an hour over each.
    "okx": RequestLimits(
        budgets={ADDRESS: Budget(120, 2, 2, 40), ACCOUNT: Budget(120, 2, 2, 40), **_connections(3, 1, 1)},
        costs=(
            _CONNECTION,
            (r"/public/(time|funding-rate) ", {ADDRESS: 12}),
            (r"/market/books ", {ADDRESS: 3}),
            (r"/(public|market)/", {ADDRESS: 6}),
            (r"/trade/(order|cancel-order) ", {ACCOUNT: 2}),
            (r"/account/(leverage-info|set-leverage) ", {ACCOUNT: 6}),
            (r"/(account/(balance|positions)|trade/fills-history) ", {ACCOUNT: 12}),
            (r".", {ACCOUNT: 24}),
        ),
        messages=MessageLimit(480, 3600),
    ),
    # bitget.com/api-doc, classic futures, "frequency limit" of each endpoint: 20 a second for public ones, by
    # address, 10 by account for orders, fills, accounts and bills, 5 for positions and settings. 6,000 a minute for
    # an address. "Websocket, connect": 300 connections in 5 minutes for an address, 240 requests in an hour over each.
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
    # gate.com/docs/developers/apiv4, "frequency limit rule": 200 in 10 s for each endpoint, public ones by address,
    # the others by account, and far more orders. One budget for all endpoints is stricter than that. The same rule:
    # 300 connections for an address may be open, messages without a limit.
    "gate": RequestLimits(
        budgets={ADDRESS: Budget(200, 10, 2), ACCOUNT: Budget(200, 10, 2), **_connections(300, 300, 60)},
        costs=(
            _CONNECTION,
            (r"GET .*/futures/usdt/(contracts|order_book|tickers|funding_rate)|/spot/time", {ADDRESS: 1}),
            (r".", {ACCOUNT: 1}),
        ),
    ),
    # hyperliquid.gitbook.io, API, rate limits: 1200 a minute for an address. Histories weigh 1 more for each 20 rows
    # that are answered, which nobody knows before: counted as a hundred rows. The longer leases are for them, as the
    # reserve must pay for an order's fills, which alone have its price. Actions have a second limit, 10,000 and one
    # for each USDC that the account ever traded; an entry of 50 USDT takes two. The same page: 30 connections in a
    # minute, ten at a time, and 2,000 messages a minute over all of them: a tenth of that over each.
    "hyperliquid": RequestLimits(
        budgets={ADDRESS: Budget(1200, 60, 10, 40), **_connections(30, 60, 10)},
        costs=(
            _CONNECTION,
            (r"POST /exchange ", {ADDRESS: 1}),
            (r"POST /info (l2Book|allMids|clearinghouseState|orderStatus|exchangeStatus)$", {ADDRESS: 2}),
            (r"POST /info userRole$", {ADDRESS: 60}),
            (r"POST /info (userFillsByTime|userFunding)$", {ADDRESS: 25}),
            (r".", {ADDRESS: 20}),
        ),
        messages=MessageLimit(200, 60),
    ),
}
"""By wire protocol."""
