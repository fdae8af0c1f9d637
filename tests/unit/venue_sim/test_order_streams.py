"""The channels of own orders of simulated venues: who may listen, what is told, what odd requests are answered."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest

from support.simulated_venues import KEY, PROTOCOLS, open_test_venue
from venue_sim.dialects.binance.own_orders import LISTEN_KEY, BinanceOrders
from venue_sim.dialects.order_streams import OrderSession
from venue_sim.dialects.streams import StreamCut
from venue_sim.dialects.wire import Call
from venue_sim.faults import FaultSpec
from venue_sim.matching import Side
from venue_sim.venue import OrderRequest

NO_CALL = Call("POST", LISTEN_KEY, "", {}, b"", 0)


class Listener:
    """One connection to a venue of a protocol, that has shown what it had to unless told otherwise."""

    def __init__(self, protocol: str, *, listens: bool = True) -> None:
        self.venue, dialect = open_test_venue(protocol)
        assert dialect.own_orders is not None
        query = ""
        if isinstance(dialect.own_orders, BinanceOrders):
            query = f"listenKey={dialect.own_orders.begin({}, NO_CALL)['listenKey']}"
        self.session = OrderSession(self.venue, dialect.own_orders, query)
        self.session.listens = listens

    def say(self, request: Any) -> Any:
        (answer,) = self.session.hear(orjson.dumps(request).decode()) or []
        return orjson.loads(answer)

    def place(self, quantity: int = 10) -> None:
        order = OrderRequest("SOL", Side.BUY, Decimal(quantity), "ab01", reduce_only=False, received_monotonic_ns=0)
        self.venue.place(order)

    def told(self) -> list[Any]:
        return [orjson.loads(text) for text in self.session.due()]

    def fault(self, **spec: Any) -> None:
        self.venue.faults.arm(FaultSpec.model_validate(spec), self.venue.moment())


STATES: dict[str, Callable[[Any], tuple[str, str]]] = {
    "binance": lambda message: (message["o"]["X"], message["o"]["z"]),
    "bybit": lambda message: (message["data"][0]["orderStatus"], message["data"][0]["cumExecQty"]),
    "okx": lambda message: (message["data"][0]["state"], message["data"][0]["accFillSz"]),
    "bitget": lambda message: (message["data"][0]["status"], message["data"][0]["accBaseVolume"]),
    "gate": lambda message: (message["result"][0]["finish_as"], message["result"][0]["left"]),
    "hyperliquid": lambda message: (message["data"][0]["status"], message["data"][0]["order"]["sz"]),
}
FILLED_IN_TWO: dict[str, list[tuple[str, str]]] = {
    "binance": [("NEW", "0"), ("PARTIALLY_FILLED", "49.9"), ("FILLED", "60")],
    "bybit": [("New", "0"), ("PartiallyFilled", "49.9"), ("Filled", "60")],
    "okx": [("live", "0"), ("partially_filled", "4.99"), ("filled", "6")],
    "bitget": [("live", "0"), ("partially_filled", "49.9"), ("filled", "60")],
    "gate": [("_new", "600"), ("_update", "101"), ("filled", "0")],
    "hyperliquid": [("open", "60.0"), ("open", "10.1"), ("filled", "0.0")],
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_order_is_told_of_when_it_is_taken_and_at_each_fill(protocol: str) -> None:
    listener = Listener(protocol)
    listener.place(60)
    told = [STATES[protocol](message) for message in listener.told()]
    assert [(state, Decimal(figure)) for state, figure in told] == [
        (state, Decimal(figure)) for state, figure in FILLED_IN_TWO[protocol]
    ]
    assert listener.told() == []


ENDED = {"binance": "CANCELED", "bybit": "Cancelled", "gate": "cancelled"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_order_that_waits_is_told_of_when_it_ends(protocol: str) -> None:
    listener = Listener(protocol)
    listener.fault(kind="stuck")
    listener.place()
    assert len(listener.told()) == 1
    listener.venue.cancel("SOL", "", "ab01")
    (last,) = listener.told()
    assert STATES[protocol](last)[0] == ENDED.get(protocol, "canceled")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_has_not_shown_anything_is_told_nothing(protocol: str) -> None:
    listener = Listener(protocol, listens=False)
    listener.place()
    assert listener.told() == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_fault_cuts_or_silences_this_stream_alone(protocol: str) -> None:
    listener = Listener(protocol)
    listener.fault(kind="drop", endpoint="stream")
    listener.fault(kind="drop", endpoint="any", times=9)
    listener.fault(kind="silence", endpoint="order_stream", for_seconds=60)
    listener.place()
    assert listener.told() == []
    listener.fault(kind="drop", endpoint="order_stream")
    with pytest.raises(StreamCut):
        listener.told()


@pytest.mark.parametrize(
    ("protocol", "request_", "refused"),
    [
        ("bybit", {"op": "subscribe", "args": ["order"]}, {"success": False, "ret_msg": "Request not authorized"}),
        ("bybit", {"op": "auth", "args": [KEY, "1", "00"]}, {"success": False}),
        ("bybit", {"op": "order.create", "args": []}, {"success": False}),
        ("okx", {"op": "subscribe", "args": [{"channel": "orders", "instType": "ANY"}]}, {"code": "60011"}),
        ("okx", {"op": "login", "args": [{"apiKey": "another"}]}, {"code": "60005"}),
        ("okx", {"op": "order", "args": [{}]}, {"code": "60012"}),
        ("bitget", {"op": "subscribe", "args": [{"channel": "orders"}]}, {"code": 30004}),
        ("bitget", {"op": "login", "args": [{"apiKey": "another"}]}, {"code": 30011}),
        ("bitget", {"op": "trade", "args": [{}]}, {"code": 30003}),
        ("gate", {"channel": "futures.orders", "event": "subscribe", "payload": ["1", "!all"]}, {"event": "subscribe"}),
    ],
)
def test_who_shows_something_wrong_is_refused_and_told_nothing(
    protocol: str, request_: Any, refused: dict[str, Any]
) -> None:
    listener = Listener(protocol, listens=False)
    answer = listener.say(request_)
    assert refused.items() <= answer.items()
    assert not listener.session.listens


@pytest.mark.parametrize("protocol", ["gate", "hyperliquid"])
def test_what_is_not_about_orders_is_left_to_the_books_at_the_same_path(protocol: str) -> None:
    assert Listener(protocol).session.hear('{"method": "ping", "channel": "futures.ping"}') is None
