"""What leaves for the gateway, and what its answers become: the token, refusals, strangers and silence."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.tandem_command import tandem

from .conftest import Answering

TOKEN = "tdm-4f1c9a-never-shown"
NO_TRADES: dict[str, object] = {"items": [], "next": None}


def test_the_token_is_sent_as_bearer_and_never_shown(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_TOKEN", TOKEN)
    answering.answers(NO_TRADES)
    assert tandem("trades", "--gateway", answering.url).code == 0
    assert answering.headers[0]["authorization"] == f"Bearer {TOKEN}"
    answering.answers({"detail": "this token may only read"}, 403)
    refused = tandem("halt", "--why", "test", "--gateway", answering.url)
    assert refused.code == 1
    assert "this token may only read" in refused.sentence
    assert TOKEN not in refused.out + refused.err


def test_a_token_file_goes_before_the_environment(
    answering: Answering, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TANDEM_TOKEN", "another")
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    answering.answers(NO_TRADES)
    tandem("trades", "--gateway", answering.url, "--token-file", str(file))
    assert answering.headers[0]["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("content", [b"", b"two words", b"line\nline", "tökén".encode(), b"\xff\xfe"])
def test_what_cannot_be_a_token_is_refused_without_showing_it(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    ended = tandem("trades", "--token-file", str(file))
    assert ended.code == 2
    assert "--token-file" in ended.sentence
    assert not content or content.decode(errors="replace") not in ended.err


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    ended = tandem("trades", "--token-file", str(tmp_path / "none"))
    assert ended.code == 2
    assert str(tmp_path / "none") in ended.sentence


def test_the_token_follows_no_redirection(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_TOKEN", TOKEN)
    answering.status, answering.location = 307, f"{answering.url}/elsewhere"
    assert tandem("trades", "--gateway", answering.url).code == 3
    assert len(answering.paths) == 1


def test_a_refusal_names_the_field_the_value_and_what_is_allowed(answering: Answering) -> None:
    wrong = {"field": "query.symbol", "value": "sol", "allowed": "String should match the pattern"}
    answering.answers({"detail": "not accepted: query.symbol", "errors": [wrong]}, 422)
    ended = tandem("trades", "--symbol", "sol", "--gateway", answering.url)
    assert ended.code == 1
    for part in ("(422)", "query.symbol", "'sol'", "should match"):
        assert part in ended.sentence


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"hello"), (200, b"[]"), (200, b"{}"), (404, b"{}"), (502, b"<html>"), (200, b"\xff")]
)
def test_a_stranger_is_no_gateway(answering: Answering, status: int, body: bytes) -> None:
    answering.status, answering.body = status, body
    ended = tandem("trades", "--gateway", answering.url)
    assert (ended.code, ended.out) == (3, "")
    assert "no gateway of Tandem" in ended.sentence


def test_what_was_not_sent_is_said_to_be_not_asked() -> None:
    ended = tandem("halt", "--why", "test", "--gateway", "http://127.0.0.1:1")
    assert ended.code == 3
    assert "nothing was asked" in ended.sentence


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes a request and hangs up."""

    def hang_up() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hang_up)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_a_command_without_an_answer_is_said_to_be_unknown() -> None:
    with silent_server() as url:
        ended = tandem("close", "7", "--why", "test", "--wait", "0", "--gateway", url)
    assert ended.code == 3
    assert "not known whether the request was recorded" in ended.sentence


def test_who_and_why_are_sent_and_the_wait_is_the_gateways(answering: Answering) -> None:
    state = {"state": "halted", "changed_by": "operator:ada", "changed_at": "2025-10-10T22:00:00Z", "reason": "x"}
    answering.answers({"request_id": "r-1", "wanted": "halted", "trading_state": state, "waited_seconds": 0.1})
    ended = tandem("halt", "--who", "ada", "--why", "a bad venue", "--wait", "2.5", "--gateway", answering.url)
    assert ended.code == 0
    assert "operator:ada at 2025-10-10 22:00:00Z" in ended.out
    assert answering.bodies == [{"state": "halted", "who": "ada", "why": "a bad venue", "wait_seconds": 2.5}]


def test_pages_are_followed_up_to_the_limit(answering: Answering) -> None:
    answering.answers({"items": [{"id": number} for number in range(200)], "next": 17})
    ended = tandem("trades", "--limit", "350", "--json", "--gateway", answering.url)
    assert len(ended.json) == 400
    assert ["limit=200" in answering.paths[0], "limit=150&before=17" in answering.paths[1]] == [True, True]
    assert len(answering.paths) == 2


def test_a_test_alert_that_did_not_arrive_in_time_is_not_done(answering: Answering) -> None:
    outcome = {"key": "test-1", "is_delivered": False, "waited_seconds": 0.5, "told": "nobody took it yet", "see": "x"}
    answering.answers(outcome)
    ended = tandem("alerts", "test", "--who", "ada", "--wait", "0.5", "--gateway", answering.url)
    assert (ended.code, ended.out) == (4, "")
    assert "nobody took it yet" in ended.sentence
    assert answering.bodies == [{"who": "ada", "wait_seconds": 0.5}]
    answering.answers(outcome | {"is_delivered": True, "told": "every address took it"})
    done = tandem("alerts", "test", "--gateway", answering.url)
    assert (done.code, done.out) == (0, "After 0.5 s every address took it.\n")


def flattened(state: str, told: str, **evidence: str) -> dict[str, object]:
    return {
        "request_id": "flatten-bybit-SOL-1",
        "venue": "bybit",
        "symbol": "SOL",
        "status": {"state": state, "evidence": evidence, "updated_at": "2025-10-10T22:00:01Z"},
        "waited_seconds": 2.5,
        "told": told,
        "see": "/api/live_trading/flattened/flatten-bybit-SOL-1",
    }


FLATTEN = ("flatten", "bybit", "SOL", "--who", "ada", "--why", "moving", "--wait", "2.5")


@pytest.mark.parametrize(
    ("status", "state", "code", "said"),
    [
        (202, "working", 4, "not flat after 2.5 s: the venue says"),
        (409, "not_flat", 1, "Not flat: the venue says"),
        (409, "refused", 1, "Not flat: the venue says"),
    ],
)
def test_a_flatten_that_the_venue_does_not_bear_out_is_not_done(
    answering: Answering, status: int, state: str, code: int, said: str
) -> None:
    answering.answers(flattened(state, "the venue says why"), status)
    ended = tandem(*FLATTEN, "--yes", "--gateway", answering.url)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.sentence
    as_json = tandem(*FLATTEN, "--yes", "--json", "--gateway", answering.url)
    assert (as_json.code, as_json.json["status"]["state"]) == (code, state)


def test_a_flatten_is_done_once_the_venue_says_zero(answering: Answering) -> None:
    read_at = {"venue_quantity": "0", "read_at": "2025-10-10T22:00:00Z"}
    answering.answers(flattened("flat", "bybit says that it holds 0 SOL", **read_at))
    ended = tandem(*FLATTEN, "--include-unowned", "--yes", "--gateway", answering.url)
    told = "Flat: bybit says that it holds 0 SOL, read at 2025-10-10 22:00:00Z.\n"
    assert (ended.code, ended.out, ended.err) == (0, told, "")
    position = {"venue": "bybit", "symbol": "SOL", "include_unowned": True}
    assert answering.bodies == [position | {"who": "ada", "why": "moving", "wait_seconds": 2.5}]


def test_a_flatten_that_the_gateway_refuses_is_no_outcome(answering: Answering) -> None:
    answering.answers({"detail": "another request is at work"}, 409)
    ended = tandem(*FLATTEN, "--yes", "--json", "--gateway", answering.url)
    assert (ended.code, ended.out) == (1, "")
    assert "another request is at work" in ended.sentence


@pytest.mark.parametrize("options", [(), ("--include-unowned",)])
def test_what_a_flatten_touches_is_said_before_it_is_confirmed(answering: Answering, options: tuple[str, ...]) -> None:
    legs = [{"leg": "long", "venue": "bybit"}, {"leg": "short", "venue": "okx"}]
    answering.answers({"items": [{"signal_id": 7, "symbol": "SOL", "legs": legs}], "next": None})
    ended = tandem(*FLATTEN, *options, "--gateway", answering.url)
    assert ended.code == 2
    assert "This closes trade 7 (SOL, bybit/okx)" in ended.sentence
    assert ("your own" if options else "left alone") in ended.sentence
    assert "--yes" in ended.sentence
    assert answering.bodies == []
