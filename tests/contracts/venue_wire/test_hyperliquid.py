"""What only Hyperliquid has: typed-data signatures, nonces, deadlines, readings that anybody may make, limit prices."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from common.domain.identifiers import Side
from common.runtime.clock import SystemClock
from common.venues.addresses import VenueAddress
from common.venues.ccxt import account_hyperliquid
from common.venues.ccxt.account import CcxtAccount
from common.venues.ccxt.exchange_hyperliquid import HyperliquidExchange
from common.venues.ccxt.trading import connect_trading_venue
from common.venues.errors import OrderRejected, VenueRefused, VenueUnreachable
from common.venues.ports import OrderIntent, OrderState
from support.simulated_venues import KEY, NOON, SECRET, TRADING_KEYS, HandClock, RunningVenue, running_venue
from venue_sim.account import Order
from venue_sim.dialects.hyperliquid import account_endpoints, fields
from venue_sim.dialects.hyperliquid.keccak import keccak_256
from venue_sim.dialects.hyperliquid.signing import address_of
from venue_sim.faults import FaultSpec
from venue_sim.market import Level

from .conftest import Wire, make_client

OTHER_KEY = f"0x{'2' * 64}"


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with running_venue("hyperliquid") as simulated:
        client = make_client("hyperliquid", simulated.url)
        try:
            await client.load_markets()
            yield Wire("hyperliquid", simulated, client)
        finally:
            await client.close()


def order_of(**changes: Any) -> dict[str, Any]:
    order = {"a": 0, "b": True, "p": "210", "s": "1", "r": False, "t": {"limit": {"tif": "Ioc"}}}
    return {"type": "order", "orders": [order | changes], "grouping": "na"}


@pytest.mark.parametrize(
    ("content", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_keccak_is_the_one_from_before_the_standard(content: bytes, digest: str) -> None:
    assert keccak_256(content).hex() == digest


def test_address_of_a_private_key() -> None:
    assert address_of(SECRET) == KEY
    assert address_of(f"{1:064x}") == "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"


async def test_signature_covers_every_field_the_nonce_and_the_deadline(wire: Wire) -> None:
    tampered = [
        wire.signed(order_of(), action=order_of(s="2")),
        wire.signed(order_of(), action=order_of(b=False)),
        wire.signed(order_of(), nonce=wire.client.milliseconds() + 5),
        wire.signed(order_of(), expiresAfter=wire.client.milliseconds() + 5000),
        wire.signed(order_of(), vaultAddress=KEY),
        wire.signed(order_of(s="1.0")),  # the venue hashes figures in their shortest form
        wire.signed({"grouping": "na", **order_of()}),  # and fields in its own order
    ]
    for request in tampered:
        with pytest.raises(ccxt.InvalidOrder, match=r"User or API Wallet 0x[0-9a-f]{40} does not exist"):
            await wire.client.privatePostExchange(request)
    assert wire.simulated.venue.account.orders == []
    await wire.client.privatePostExchange(wire.signed(order_of()))
    assert len(wire.simulated.venue.account.orders) == 1


async def test_another_wallets_key_signs_for_nobody(wire: Wire) -> None:
    wire.client.privateKey = OTHER_KEY
    with pytest.raises(ccxt.InvalidOrder, match=f"User or API Wallet {address_of(OTHER_KEY)} does not exist"):
        await wire.client.privatePostExchange(wire.signed(order_of()))


@pytest.mark.parametrize("signature", [{}, {"r": "0x1", "s": "0x1", "v": 99}, {"r": "x", "s": "y", "v": 27}])
async def test_signature_that_is_none_is_refused(wire: Wire, signature: dict[str, Any]) -> None:
    with pytest.raises(ccxt.ExchangeError, match="Unable to recover signer"):
        await wire.client.privatePostExchange(wire.signed(order_of(), signature=signature))


async def test_nonce_is_used_once_and_is_a_moment_of_these_days(wire: Wire) -> None:
    request = wire.signed({"type": "noop"})
    assert await wire.client.privatePostExchange(request) == {"status": "ok", "response": {"type": "default"}}
    with pytest.raises(ccxt.ExchangeError, match=f"Invalid nonce: duplicate nonce {request['nonce']}"):
        await wire.client.privatePostExchange(request)
    now = wire.client.milliseconds()
    for nonce, said in ((now - 3 * 86_400_000, "too low"), (now + 2 * 86_400_000, "too high")):
        wire.client.incrementing_nonce = lambda nonce=nonce: nonce
        with pytest.raises(ccxt.ExchangeError, match=f"Invalid nonce: nonce {said}"):
            await wire.client.privatePostExchange(wire.signed({"type": "noop"}))


async def test_action_after_its_deadline_is_refused(wire: Wire) -> None:
    nonce, deadline_ms = wire.client.incrementing_nonce(), wire.client.milliseconds() - 1
    action = order_of()
    request = {"action": action, "nonce": nonce, "expiresAfter": deadline_ms}
    request["signature"] = wire.client.sign_l1_action(action, nonce, None, deadline_ms)
    with pytest.raises(ccxt.ExchangeError, match="Action expired"):
        await wire.client.privatePostExchange(request)
    assert wire.simulated.venue.account.orders == []


async def test_builder_that_was_not_approved_is_refused(wire: Wire) -> None:
    action = order_of() | {"builder": {"b": KEY, "f": 10}}
    with pytest.raises(ccxt.ExchangeError, match="Builder fee has not been approved"):
        await wire.client.privatePostExchange(wire.signed(action))


@pytest.mark.parametrize(("price", "taken"), [("210", True), ("210.01", True), ("210.001", False), ("1000000", True)])
async def test_price_has_five_significant_digits_or_is_an_integer(wire: Wire, price: str, taken: bool) -> None:
    if taken:
        await wire.client.privatePostExchange(wire.signed(order_of(p=price)))
    else:
        with pytest.raises(ccxt.InvalidOrder, match="Price must be divisible by tick size"):
            await wire.client.privatePostExchange(wire.signed(order_of(p=price)))


async def test_nothing_trades_beyond_the_limit_price(wire: Wire) -> None:
    answer = await wire.client.privatePostExchange(wire.signed(order_of(s="60", p="200.02")))
    (status,) = answer["response"]["data"]["statuses"]
    assert (status["filled"]["totalSz"], status["filled"]["avgPx"]) == ("49.9", "200.02")
    with pytest.raises(ccxt.InvalidOrder, match="could not immediately match"):
        await wire.client.privatePostExchange(wire.signed(order_of(p="200.01")))


async def test_a_stranger_reads_an_account_that_is_empty(wire: Wire) -> None:
    await wire.market_order("buy", 1, "open")
    wire.client.walletAddress = address_of(OTHER_KEY)
    assert await wire.client.fetch_positions() == []
    assert await wire.client.fetch_my_trades(wire.sol) == []
    assert (await wire.client.fetch_balance())["USDC"]["total"] == 0
    with pytest.raises(ccxt.OrderNotFound):
        await wire.order("open")


async def account_at(stack: AsyncExitStack, simulated: RunningVenue) -> tuple[CcxtAccount, Any]:
    """The adapter's account and desk."""
    address = VenueAddress("hyperliquid", "hyperliquid", simulated.url)
    _, account, desk = await connect_trading_venue(address, TRADING_KEYS, SystemClock())
    stack.push_async_callback(account.close)
    return account, desk


def bought(client_order_id: str, quantity: str = "1", reference_price: int = 200) -> OrderIntent:
    amount, price = Decimal(quantity), Decimal(reference_price)
    return OrderIntent("hyperliquid", "SOL", Side.BUY, amount, client_order_id, False, price)


@pytest.mark.parametrize(("address", "key"), [(KEY, OTHER_KEY), (address_of(OTHER_KEY), SECRET)])
async def test_key_of_another_account_is_found_out_before_anything_is_traded(address: str, key: str) -> None:
    async with AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(running_venue("hyperliquid"))
        account, _ = await account_at(stack, simulated)
        account._exchange.walletAddress, account._exchange.privateKey = address, key
        with pytest.raises(VenueRefused, match="not the account's"):
            await account.position_mode("SOL")
        with pytest.raises(VenueRefused, match="not the account's"):
            await account.prepare("SOL", 5)


async def test_account_with_one_margin_for_everything_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_endpoints.AccountEndpoints, "abstraction", lambda *_: "unifiedAccount")
    async with AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(running_venue("hyperliquid"))
        account, _ = await account_at(stack, simulated)
        with pytest.raises(VenueRefused, match="one margin"):
            await account.position_mode("SOL")


async def test_contract_with_isolated_margin_only_is_not_prepared() -> None:
    async with AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(running_venue("hyperliquid"))
        account, _ = await account_at(stack, simulated)
        await account.positions()
        account._exchange.market("SOL/USDC:USDC")["info"]["onlyIsolated"] = True
        with pytest.raises(VenueRefused, match="SOL has isolated margin only"):
            await account.prepare("SOL", 5)


async def test_order_is_bounded_by_the_swept_price() -> None:
    async with AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(running_venue("hyperliquid"))
        account, desk = await account_at(stack, simulated)
        best, far = Level(Decimal(200), Decimal(1)), Level(Decimal(211), Decimal(5))
        simulated.venue.override_book("SOL", ((), (best, far)))
        report = await desk.send(bought("c1", "3"))
        assert (report.state, report.filled_quantity, report.average_price) == (OrderState.CANCELLED, 1, 200)
        with pytest.raises(OrderRejected, match="could not immediately match"):
            await desk.send(bought("c2", reference_price=180))
        unfilled = await account.order("SOL", "c2")
        assert unfilled is not None
        assert (unfilled.state, unfilled.filled_quantity) == (OrderState.REJECTED, Decimal(0))


@pytest.mark.parametrize(
    ("offered", "remaining"), [("1", None), ("1", Decimal(0)), (None, None), (None, Decimal(0))], ids=str
)
async def test_what_a_rejected_order_filled_is_what_its_fills_say(
    monkeypatch: pytest.MonkeyPatch, offered: str | None, remaining: Decimal | None
) -> None:
    monkeypatch.setattr(fields, "_status", lambda _: "iocCancelRejected")
    if remaining is not None:
        monkeypatch.setattr(Order, "remaining", remaining)
    async with AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(running_venue("hyperliquid"))
        account, desk = await account_at(stack, simulated)
        asks = (Level(Decimal(200), Decimal(offered)),) if offered else ()
        simulated.venue.override_book("SOL", ((), asks))
        with suppress(OrderRejected):
            await desk.send(bought("c1", "3"))
        report = await account.order("SOL", "c1")
        assert report is not None
        state = OrderState.CANCELLED if offered else OrderState.REJECTED
        assert (report.state, report.filled_quantity) == (state, Decimal(offered or 0))


async def test_what_filled_is_unknown_while_fills_are_missing_from_the_history() -> None:
    async with AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(running_venue("hyperliquid"))
        account, desk = await account_at(stack, simulated)
        venue = simulated.venue
        lag = {"kind": "lag", "endpoint": "fills", "seconds": 60, "clock": "market", "for_seconds": 600}
        venue.faults.arm(FaultSpec.model_validate(lag), venue.moment())
        assert (await desk.send(bought("c1"))).state is OrderState.WORKING
        with pytest.raises(VenueUnreachable):
            await account.order("SOL", "c1")
        simulated.clock.moment += timedelta(seconds=61)
        known = await account.order("SOL", "c1")
        assert known is not None
        assert (known.state, known.average_price) == (OrderState.FILLED, Decimal("200.02"))


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Insufficient margin to place order. asset=4", "Insufficient margin to place order"),
        ("Order must have minimum value of $10. asset=4", "Order must have minimum value of"),
        ("User or API Wallet 0xb8a6f8b26223de27c31938d56e470a5b832703a5 does not exist.", "User or API Wallet"),
        ("Invalid nonce: duplicate nonce 1754922717871", "Invalid nonce: duplicate nonce"),
        ("Too many cumulative requests sent (37986 > 10436) for", "Too many cumulative requests sent"),
        ("7", "7"),
    ],
)
def test_code_of_an_error_is_what_never_changes_of_its_text(said: str, code: str) -> None:
    in_a_row = {"status": "ok", "response": {"type": "order", "data": {"statuses": [{"error": said}]}}}
    assert HyperliquidExchange.own_code(in_a_row) == code
    assert HyperliquidExchange.own_code({"status": "err", "response": said}) == code


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "ok", "response": {"type": "default"}},
        {"status": "ok", "response": {"type": "order", "data": {"statuses": [{"resting": {"oid": 1}}, "success"]}}},
        {"status": "order", "order": {"order": {}, "status": "open"}},
    ],
)
def test_answer_without_an_error_has_no_code(body: dict[str, Any]) -> None:
    assert HyperliquidExchange.own_code(body) is None


async def test_histories_are_read_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_hyperliquid, "_PAGE_MIN", 4)
    monkeypatch.setattr(account_endpoints, "FILLS_MAX", 5)
    monkeypatch.setattr(account_endpoints, "FUNDING_MAX", 4)
    clock = HandClock()
    async with AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(running_venue("hyperliquid", clock=clock))
        account, desk = await account_at(stack, simulated)
        for number in range(13):
            await desk.send(bought(f"b{number}"))
            clock.moment += timedelta(hours=8)
        ledger = simulated.venue.account
        fills = await account.fills("SOL", NOON)
        assert [fill.fill_id for fill in fills] == [fill.fill_id for fill in ledger.fills]
        payments = await account.funding_payments("SOL", NOON)
        assert [payment.payment_id for payment in payments] == [payment.payment_id for payment in ledger.payments]
        assert len(payments) == 13
