"""The book channels of simulated venues: what is pushed, how it is numbered, and what is answered to odd requests."""

from decimal import Decimal
from typing import Any

import orjson
import pytest

from support.simulated_venues import open_test_venue
from venue_sim.dialects import book_channel
from venue_sim.dialects.streams import StreamCut, StreamSession
from venue_sim.faults import FaultSpec
from venue_sim.venue import Venue

SUBSCRIBE: dict[str, dict[str, Any]] = {
    "binance": {"method": "SUBSCRIBE", "params": ["solusdt@depth@100ms"], "id": 1},
    "bybit": {"op": "subscribe", "args": ["orderbook.50.SOLUSDT"], "req_id": "1"},
    "okx": {"op": "subscribe", "args": [{"channel": "books", "instId": "SOL-USDT-SWAP"}]},
}


class Client:
    """One connection to a venue of a protocol."""

    def __init__(self, protocol: str) -> None:
        self.venue: Venue = open_test_venue(protocol)[0]
        channel = book_channel(self.venue)
        assert channel is not None
        self.session = StreamSession(self.venue, channel)
        self.answers = self.say(SUBSCRIBE[protocol])

    def say(self, request: Any) -> list[Any]:
        return [orjson.loads(text) for text in self.session.hear(orjson.dumps(request).decode())]

    def pushed(self) -> list[Any]:
        return [orjson.loads(text) for text in self.session.due()]

    def move(self, mid: str) -> None:
        self.venue.override_mid("SOL", Decimal(mid))


def test_binance_says_what_changed_since_and_chains_the_ids() -> None:
    client = Client("binance")
    assert client.answers == [{"result": None, "id": 1}]
    assert client.pushed() == []
    client.move("210")
    (first,) = client.pushed()
    client.move("220")
    (second,) = client.pushed()
    assert (first["e"], first["s"], first["U"], first["u"], first["pu"]) == ("depthUpdate", "SOLUSDT", 2, 2, 1)
    assert (second["U"], second["u"], second["pu"]) == (3, 3, 2)
    assert ["199.98", "0"] in first["b"]
    shown = {price for price, quantity in first["b"] if quantity != "0"}
    assert shown == {"209.97", "209.95", "209.93", "209.91", "209.89"}


def test_a_price_that_only_a_request_was_shown_is_told_gone() -> None:
    """Who takes the whole book from a request between two pushes must not keep what has gone since."""
    client = Client("binance")
    client.move("210")
    client.venue.book("SOL")
    client.move("220")
    (change,) = client.pushed()
    assert ["209.97", "0"] in change["b"]
    assert (change["U"], change["u"], change["pu"]) == (2, 3, 1)


def test_bybit_numbers_one_by_one_after_a_snapshot() -> None:
    client = Client("bybit")
    assert client.answers[0]["success"] is True
    (snapshot,) = client.pushed()
    for mid in ("210", "220"):
        client.move(mid)
    (delta,) = client.pushed()
    assert (snapshot["type"], delta["type"]) == ("snapshot", "delta")
    assert snapshot["data"]["b"][0] == ["199.98", "50.0"]
    assert delta["data"]["u"] == snapshot["data"]["u"] + 1
    assert client.say({"op": "ping", "req_id": "9"})[0]["ret_msg"] == "pong"
    assert client.say(SUBSCRIBE["bybit"])[0]["success"] is False


def test_okx_names_the_update_before_and_counts_contracts() -> None:
    client = Client("okx")
    assert client.answers[0]["event"] == "subscribe"
    (snapshot,) = client.pushed()
    client.move("210")
    (update,) = client.pushed()
    first, second = snapshot["data"][0], update["data"][0]
    assert (snapshot["action"], first["prevSeqId"]) == ("snapshot", -1)
    assert first["bids"][0][:2] == ["199.98", "5"]
    assert (update["action"], second["prevSeqId"]) == ("update", first["seqId"])
    assert client.session.hear("ping") == ["pong"]


@pytest.mark.parametrize(
    ("protocol", "request_", "refused"),
    [
        ("binance", {"method": "LIST", "id": 1}, {"code": 2}),
        ("bybit", {"op": "subscribe", "args": ["orderbook.50.NOPEUSDT"]}, {"success": False}),
        ("bybit", {"op": "auth", "args": []}, {"success": False}),
        ("okx", {"op": "subscribe", "args": [{"channel": "books", "instId": "NOPE"}]}, {"code": "60018"}),
        ("okx", {"op": "login", "args": [{}]}, {"code": "60012"}),
    ],
)
def test_what_cannot_be_followed_is_refused(protocol: str, request_: Any, refused: dict[str, Any]) -> None:
    (answer,) = Client(protocol).say(request_)
    assert refused.items() <= answer.items()


@pytest.mark.parametrize("protocol", sorted(SUBSCRIBE))
def test_what_is_left_is_pushed_no_longer(protocol: str) -> None:
    client = Client(protocol)
    client.pushed()
    request: dict[str, Any] = dict(SUBSCRIBE[protocol])
    request |= {"method": "UNSUBSCRIBE"} if protocol == "binance" else {"op": "unsubscribe"}
    client.say(request)
    client.move("210")
    assert client.pushed() == []


@pytest.mark.parametrize("protocol", sorted(SUBSCRIBE))
def test_a_fault_cuts_silences_or_loses_one_change(protocol: str) -> None:
    client = Client(protocol)
    client.pushed()
    faults, venue = client.venue.faults, client.venue
    faults.arm(FaultSpec.model_validate({"kind": "gap"}), venue.moment())
    client.move("210")
    assert client.pushed() == []
    client.move("211")
    assert len(client.pushed()) == 1
    faults.arm(FaultSpec.model_validate({"kind": "silence", "for_seconds": 60}), venue.moment())
    client.move("212")
    assert client.pushed() == []
    faults.clear()
    assert len(client.pushed()) == 1
    faults.arm(FaultSpec.model_validate({"kind": "drop", "endpoint": "stream", "symbol": "SOL"}), venue.moment())
    with pytest.raises(StreamCut):
        client.pushed()
