"""Shares of a venue's limit: their sum, the reserve, and what happens while nobody can be asked."""

import random

import pytest

from common.runtime.metrics import BudgetMeasures
from common.venues.ccxt.budgets import LocalBudget, Share, SharedBudget
from common.venues.ccxt.facts import FACTS
from common.venues.ccxt.request_limits import ACCOUNT, ADDRESS, REQUEST_LIMITS, Budget

BUDGET = Budget(units=700, window_seconds=60, lease_seconds=10, reserve_percent=20)
"""Seven spans touch a minute: 100 units a span, 20 of them in reserve."""
ALL = [(protocol, name) for protocol, limits in REQUEST_LIMITS.items() for name in limits.budgets]


class SetClock:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def unix_seconds(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


class House:
    """Processes that share one record."""

    def __init__(self) -> None:
        self.clock = SetClock()
        self.record: bytes | None = None
        self.is_away = False

    def process(self, *, trades: bool = False) -> LocalBudget:
        return LocalBudget(BUDGET, self.clock, BudgetMeasures("venue", "address"), trades=trades)  # type: ignore[arg-type]

    def round(self, local: LocalBudget) -> None:
        if self.is_away:
            local.go_on_alone()
            return
        for span, wanted in local.wanted():
            record, granted = SharedBudget.read(self.record).lease(BUDGET, span, wanted)
            self.record = record.text()
            local.grant(span, granted, record.left(BUDGET, span))

    def spend(self, local: LocalBudget, units: int, *, urgent: bool = False) -> bool:
        if local.may_spend(units, urgent=urgent):
            local.spend(units)
            return True
        return False

    def spend_all(self, local: LocalBudget, *, urgent: bool = False) -> int:
        """One unit after the other, with a round where there is none, until nobody gives any."""
        spent = 0
        for _ in range(1000):
            if self.spend(local, 1, urgent=urgent):
                spent += 1
                continue
            self.round(local)
            if not self.spend(local, 1, urgent=urgent):
                return spent
            spent += 1
        return spent


@pytest.fixture
def house() -> House:
    return House()


def test_all_processes_together_spend_what_a_span_allows_without_the_reserve(house: House) -> None:
    first, second = house.process(), house.process()
    assert house.spend(first, 30) is False
    house.round(first)
    assert house.spend(first, 30) is True
    assert house.spend_all(second) + house.spend_all(first) + 30 == BUDGET.ordinary_units == 80


def test_closing_has_its_reserve_when_everything_else_is_spent(house: House) -> None:
    executor, scanner = house.process(trades=True), house.process()
    house.round(executor)
    assert house.spend_all(scanner) == 80
    assert house.spend(executor, 1) is False
    assert house.spend(executor, 10, urgent=True) is True, "without a word from anybody"
    assert house.spend_all(executor, urgent=True) == 10
    assert house.spend(scanner, 1, urgent=True) is False, "who does not trade has no reserve"


def test_two_executors_never_spend_more_than_the_reserve(house: House) -> None:
    first, second = house.process(trades=True), house.process(trades=True)
    house.round(first)
    house.round(second)
    assert house.spend_all(house.process()) == 80
    assert house.spend_all(first, urgent=True) + house.spend_all(second, urgent=True) == 20


def test_a_new_span_has_a_new_share_that_was_leased_ahead(house: House) -> None:
    local = house.process()
    house.spend(local, 10)
    house.round(local)
    assert house.spend(local, 10)
    house.round(local)
    house.clock.seconds += BUDGET.lease_seconds
    assert house.spend(local, 10), "nobody was asked in this span"


def test_without_the_bus_a_process_goes_on_with_its_last_share_and_no_more(house: House) -> None:
    local = house.process(trades=True)
    house.spend(local, 40)
    house.round(local)
    assert house.spend(local, 40)
    house.is_away = True
    for _ in range(5):
        house.clock.seconds += BUDGET.lease_seconds
        house.round(local)
        assert house.spend_all(local) == 40
        assert house.spend_all(local, urgent=True) == 10


def test_what_was_spent_alone_is_accounted_for_when_the_bus_is_back(house: House) -> None:
    local, other = house.process(), house.process()
    house.is_away = True
    house.round(local)
    alone = house.spend_all(local)
    assert alone == 10
    house.is_away = False
    house.round(local)
    assert house.spend_all(other) + house.spend_all(local) + alone == 80


def test_a_dead_process_takes_its_share_along_for_one_span_only(house: House) -> None:
    dead, alive = house.process(), house.process()
    house.spend_all(dead)
    house.round(alive)
    assert house.spend_all(alive) == 0
    house.clock.seconds += 2 * BUDGET.lease_seconds
    assert house.spend_all(alive) == 80


@pytest.mark.parametrize("seed", range(20))
def test_no_window_of_the_venue_ever_holds_more_than_it_documents(house: House, seed: int) -> None:
    drawn = random.Random(seed)
    processes = [house.process(trades=number < 2) for number in range(4)]
    spent: list[tuple[float, int]] = []
    while house.clock.seconds < 1_000_000 + 200:
        local, units = drawn.choice(processes), drawn.randint(1, 10)
        if house.spend(local, units, urgent=drawn.random() < 0.5):
            spent.append((house.clock.seconds, units))
        if drawn.random() < 0.7:
            house.round(drawn.choice(processes))
        house.clock.seconds += drawn.choice([0.01, 0.1, 0.5])
    windows = [sum(units for at, units in spent if begin <= at < begin + 60) for begin, _ in spent]
    assert max(windows) <= BUDGET.units
    assert max(windows) > BUDGET.units / 2, "the processes were busy"


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"x":1}', b'{"1":[1]}', b'{"1":["a",2]}'])
def test_a_record_that_cannot_be_read_is_an_empty_one(text: bytes) -> None:
    assert SharedBudget.read(text) == SharedBudget({})


def test_a_record_forgets_the_past() -> None:
    record, _ = SharedBudget({1: Share(5, 5), 8: Share(1, 0)}).lease(BUDGET, 9, Share(3, 0))
    assert SharedBudget.read(record.text()) == SharedBudget({8: Share(1, 0), 9: Share(3, 0)})


def test_every_venue_has_limits() -> None:
    assert set(FACTS) <= set(REQUEST_LIMITS)


@pytest.mark.parametrize(("protocol", "name"), ALL)
def test_every_request_fits_into_an_ordinary_share(protocol: str, name: str) -> None:
    limits = REQUEST_LIMITS[protocol]
    budget = limits.budgets[name]
    dearest = max(cost.get(name, 0) for _, cost in limits.costs)
    assert 0 < dearest <= budget.ordinary_units
    assert budget.ordinary_units + budget.reserve_units == budget.leased_units


@pytest.mark.parametrize(
    ("protocol", "method", "path", "body"),
    [
        ("binance", "POST", "/fapi/v1/order", None),
        ("binance", "GET", "/fapi/v1/order", None),
        ("binance", "GET", "/fapi/v3/positionRisk", None),
        ("bybit", "POST", "/v5/order/create", "{}"),
        ("bybit", "GET", "/v5/order/realtime", None),
        ("bybit", "GET", "/v5/position/list", None),
        ("okx", "POST", "/api/v5/trade/order", "{}"),
        ("okx", "GET", "/api/v5/trade/order", None),
        ("okx", "GET", "/api/v5/account/positions", None),
        ("bitget", "POST", "/api/v2/mix/order/place-order", "{}"),
        ("gate", "POST", "/api/v4/futures/usdt/orders", "{}"),
        ("hyperliquid", "POST", "/exchange", '{"action":{"type":"order"}}'),
        ("hyperliquid", "POST", "/info", '{"type": "clearinghouseState"}'),
        ("hyperliquid", "POST", "/info", '{"type":"userFillsByTime"}'),
    ],
)
def test_half_a_reserve_pays_what_closing_asks_first(protocol: str, method: str, path: str, body: str | None) -> None:
    limits = REQUEST_LIMITS[protocol]
    for name, units in limits.cost_of(method, path, body).items():
        assert units <= limits.budgets[name].reserve_units / 2


@pytest.mark.parametrize(
    ("protocol", "method", "path", "body", "cost"),
    [
        ("binance", "GET", "/fapi/v1/depth?symbol=SOLUSDT&limit=50", None, {ADDRESS: 2}),
        ("binance", "GET", "/fapi/v1/depth?limit=500&symbol=SOLUSDT", None, {ADDRESS: 10}),
        ("binance", "GET", "/fapi/v1/depth?symbol=SOLUSDT&limit=1000", None, {ADDRESS: 20}),
        ("binance", "GET", "/fapi/v1/depth", None, {ADDRESS: 10}),
        ("binance", "GET", "/fapi/v1/positionSide/dual", None, {ADDRESS: 30}),
        ("binance", "DELETE", "/fapi/v1/order", None, {ADDRESS: 1}),
        ("okx", "GET", "/api/v5/market/books", None, {ADDRESS: 3}),
        ("okx", "GET", "/api/v5/account/config", None, {ACCOUNT: 24}),
        ("okx", "GET", "/api/v5/public/funding-rate", None, {ADDRESS: 12}),
        ("bybit", "GET", "/v5/market/orderbook", None, {ADDRESS: 1}),
        ("hyperliquid", "POST", "/info", '{"type":"l2Book","coin":"SOL"}', {ADDRESS: 2}),
        ("hyperliquid", "POST", "/info", '{"type":"userFunding"}', {ADDRESS: 25}),
        ("hyperliquid", "POST", "/info", '{"type":"metaAndAssetCtxs"}', {ADDRESS: 20}),
        ("hyperliquid", "POST", "/info", '{"type":"userRole"}', {ADDRESS: 60}),
        ("hyperliquid", "POST", "/exchange", '{"action":{"type":"order"}}', {ADDRESS: 1}),
    ],
)
def test_what_requests_cost(protocol: str, method: str, path: str, body: str | None, cost: dict[str, int]) -> None:
    path, _, query = path.partition("?")
    assert REQUEST_LIMITS[protocol].cost_of(method, path, body, query) == cost
