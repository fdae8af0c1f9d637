"""The book channels of simulated venues: what is pushed, how it is numbered, and what is answered to odd requests."""

from decimal import Decimal
from typing import Any
from zlib import crc32

import orjson
import pytest

from support.simulated_venues import open_test_venue
from venue_sim.dialects import book_channel
from venue_sim.dialects.streams import StreamCut, StreamSession
from venue_sim.faults import FaultSpec
from venue_sim.market import Level
from venue_sim.venue import Venue

SUBSCRIBE: dict[str, dict[str, Any]] = {
    "binance": {"method": "SUBSCRIBE", "params": ["solusdt@depth@100ms"], "id": 1},
    "bybit": {"op": "subscribe", "args": ["orderbook.50.SOLUSDT"], "req_id": "1"},
    "okx": {"op": "subscribe", "args": [{"channel": "books", "instId": "SOL-USDT-SWAP"}]},
    "bitget": {"op": "subscribe", "args": [{"instType": "USDT-FUTURES", "channel": "books", "instId": "SOLUSDT"}]},
    "gate": {
        "id": 1,
        "time": 1760097600,
        "channel": "futures.order_book_update",
        "event": "subscribe",
        "payload": ["SOL_USDT", "100ms", "100"],
    },
    "hyperliquid": {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "SOL"}},
}
LEAVING: dict[str, dict[str, str]] = {
    "binance": {"method": "UNSUBSCRIBE"},
    "gate": {"event": "unsubscribe"},
    "hyperliquid": {"method": "unsubscribe"},
}
"""What differs in a request to leave; otherwise the operation's name."""
WORDS_OF_ERROR = {"channel": "error"}


class Client:
    """One connection to a venue of a protocol."""

    def __init__(self, protocol: str, **headers: str) -> None:
        self.venue: Venue = open_test_venue(protocol)[0]
        self.session = StreamSession(self.venue, book_channel(self.venue, headers))
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


def test_bitget_says_the_sum_of_the_best_levels_of_both_sides_after_each_update() -> None:
    client = Client("bitget")
    (subscribed,) = client.answers
    assert subscribed == {"event": "subscribe", "arg": SUBSCRIBE["bitget"]["args"][0]}
    (snapshot,) = client.pushed()
    assert (snapshot["action"], snapshot["arg"]) == ("snapshot", subscribed["arg"])
    assert snapshot["data"][0]["bids"][0] == ["199.98", "50"]
    bids, asks = (Level(Decimal("3366.1"), Decimal(7)),), ("3366.8 9", "3368 8", "3372.0 8.0")
    client.venue.override_book("SOL", (bids, tuple(Level(*map(Decimal, row.split())) for row in asks)))
    (update,) = client.pushed()
    assert update["action"] == "update"
    assert ["199.98", "0"] in update["data"][0]["bids"]
    # The venue documents this order: a bid and an ask in turn, and then what one side has more of.
    unsigned = crc32(b"3366.1:7:3366.8:9:3368:8:3372:8")
    assert update["data"][0]["checksum"] in (unsigned, unsigned - (1 << 32))
    assert -(1 << 31) <= update["data"][0]["checksum"] < 1 << 31
    assert client.session.hear("ping") == ["pong"]


def test_gate_chains_its_changes_and_counts_contracts_as_the_handshake_asks() -> None:
    client = Client("gate")
    (subscribed,) = client.answers
    assert (subscribed["id"], subscribed["event"], subscribed["result"]) == (1, "subscribe", {"status": "success"})
    assert client.pushed() == []
    client.move("210")
    (first,) = client.pushed()
    client.move("220")
    (second,) = client.pushed()
    result = first["result"]
    assert (first["channel"], first["event"], result["s"], result["l"]) == (
        *("futures.order_book_update", "update"),
        *("SOL_USDT", "100"),
    )
    assert (result["U"], result["u"]) == (2, 2)
    assert (second["result"]["U"], second["result"]["u"]) == (3, 3)
    assert {"p": "199.98", "s": 0} in result["b"]
    assert {"p": "209.97", "s": 476} in result["b"]  # of a tenth of a SOL each
    assert client.say({"time": 1, "channel": "futures.ping"})[0]["channel"] == "futures.pong"
    asking = Client("gate", **{"x-gate-size-decimal": "1"})
    asking.move("210")
    assert {"p": "209.97", "s": "476"} in asking.pushed()[0]["result"]["b"]


def test_hyperliquid_pushes_the_whole_book_each_time() -> None:
    client = Client("hyperliquid")
    (subscribed,) = client.answers
    assert (subscribed["channel"], subscribed["data"]["method"]) == ("subscriptionResponse", "subscribe")
    (first,) = client.pushed()
    assert client.pushed() == []
    client.move("210")
    (second,) = client.pushed()
    assert first["channel"] == "l2Book"
    assert [len(side) for side in second["data"]["levels"]] == [5, 5]
    assert second["data"]["levels"][0][0] == {"px": "209.97", "sz": "47.6", "n": 1}
    assert client.say(SUBSCRIBE["hyperliquid"])[0]["data"].startswith("Already subscribed")
    assert client.say({"method": "ping"}) == [{"channel": "pong"}]


@pytest.mark.parametrize(
    ("protocol", "request_", "refused"),
    [
        ("binance", {"method": "LIST", "id": 1}, {"code": 2}),
        ("bybit", {"op": "subscribe", "args": ["orderbook.50.NOPEUSDT"]}, {"success": False}),
        ("bybit", {"op": "auth", "args": []}, {"success": False}),
        ("okx", {"op": "subscribe", "args": [{"channel": "books", "instId": "NOPE"}]}, {"code": "60018"}),
        ("okx", {"op": "login", "args": [{}]}, {"code": "60012"}),
        ("bitget", {"op": "subscribe", "args": [{"channel": "books", "instId": "SOLUSDT"}]}, {"code": 30001}),
        ("bitget", {"op": "subscribe"}, {"code": 30016}),
        ("bitget", {"op": "login", "args": [{}]}, {"code": 30003}),
        (
            "gate",
            SUBSCRIBE["gate"] | {"payload": ["NOPE_USDT", "100ms", "100"]},
            {"error": {"code": 2, "message": "unknown contract NOPE_USDT"}},
        ),
        (
            "gate",
            SUBSCRIBE["gate"] | {"payload": ["SOL_USDT", "10ms"]},
            {"error": {"code": 2, "message": "invalid argument 10ms "}},
        ),
        ("gate", {"channel": "futures.orders", "event": "subscribe"}, {"result": {"status": "fail"}}),
        ("hyperliquid", {"method": "post"}, WORDS_OF_ERROR),
        (
            "hyperliquid",
            {"method": "subscribe", "subscription": {"type": "trades", "coin": "SOL"}},
            {"channel": "error"},
        ),
        (
            "hyperliquid",
            {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "NOPE"}},
            {"channel": "error"},
        ),
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
    client.say(request | LEAVING.get(protocol, {"op": "unsubscribe"}))
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
