"""What is done to one symbol: a service ends, or a neighbour of it goes away, at one point of its way.

Each case is left as soon as nothing of it is in flight; what takes its time (a message that comes again, the final
account) is waited for once, at the end of the house.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import httpx

from chaos import invariants
from chaos.crashing import End
from chaos.house import House, NotReached, until
from chaos.invariants import Row
from chaos.market import FUNDED_AT, GAP_PRICE, NO_GAP_PRICE, WIDE_GAP_PRICE
from chaos.points import EXECUTOR, GATEWAY, MONITOR, Point, Side, Stage
from common.messages.subjects import EVENT_CHANGED, SCALE_IN_REQUESTED, TRADE_CHANGED
from common.runtime.guard import CSRF_HEADER, SESSION_COOKIE, csrf_token
from local_stack.processes import PartFailed
from local_stack.services import title_of

OPEN_WITHIN_SECONDS = 60.0
REACHED_WITHIN_SECONDS = 150.0
"""A skipped signal is given up five minutes of market time after its event, when its next retry is due."""
AT_REST_WITHIN_SECONDS = 60.0
ASKED_WITHIN_SECONDS = 120.0
"""A key is in hand for a minute after the gateway that took it has died."""
AGAIN_SECONDS = 0.5
SLOW_SECONDS = "2"
"""For how long a slow venue keeps an order's answer: a lease is renewed every half of a second."""
LATE_SECONDS = "45"
"""How long a venue shows no payment: until after the final account, and it is looked for again 50 s after the close."""
REJECTIONS = "6"
"""How many orders a venue rejects: a close gives up after two for a while."""
WOKEN_SECONDS = 3.0
"""For whatever a process that woke up still does: nothing tells that it has nothing left to do."""

UNKNOWN_EVENT = "watchlist.event.imagined"
"""The executor's consumer of events gets it, and nobody knows what it means."""

_SIGNALS = "SELECT id, status FROM watchlist.live_trade_signal WHERE symbol = $1 ORDER BY id"
_FLATTENS = "SELECT state FROM watchlist.operator_flatten WHERE symbol = $1"
_STATE = "SELECT state FROM watchlist.trading_state"
_IS_CLOSED = "SELECT status = 'closed' FROM watchlist.live_trade_signal WHERE id = $1"
_IS_FINAL = "SELECT finalised_at IS NOT NULL FROM watchlist.live_trade_signal WHERE id = $1"
_IN_FLIGHT = """
SELECT EXISTS (SELECT FROM watchlist.live_trade_signal s WHERE s.symbol = $1 AND (s.status IN ('opening', 'closing')
    OR EXISTS (SELECT FROM watchlist.live_trade_order o
               WHERE o.signal_id = s.id AND o.status IN ('intent', 'working', 'unknown'))
    OR EXISTS (SELECT FROM watchlist.live_trade_entry e WHERE e.signal_id = s.id AND e.status = 'opening')))
"""


NOT_DONE = (NotReached, TimeoutError, PartFailed)
"""What fails a case; the others go on."""


@dataclass
class Result:
    """One line of the matrix. `resolved_seconds` from ready to nothing in flight; None where nothing was."""

    group: str
    name: str
    symbol: str = ""
    failures: list[str] = field(default_factory=list)
    resolved_seconds: float | None = None


@dataclass(frozen=True)
class Trouble:
    """What happens to NATS or PostgreSQL, or on the way there, and for how many seconds."""

    name: str
    begin: Callable[[House], Awaitable[object]]
    end: Callable[[House], Awaitable[object]]
    seconds: float = 1.0


async def crash(house: House, point: Point, symbol: str) -> Result:
    """The service ends at the point and is started again at once."""
    on_paper = ", on paper" if house.is_on_paper else ""
    result = Result(f"{title_of(point.service)}, {point.stage}{on_paper}", point.name, symbol)
    try:
        async with _on_its_way(house, point, symbol, End.DIES):
            await house.reached(point.service, REACHED_WITHIN_SECONDS)
            await house.ended(point.service)
            was_in_flight = await house.value(_IN_FLIGHT, symbol)
            ready_seconds = await house.restart(title_of(point.service))
            await _at_rest(house, symbol)
            # After orders that the venue refused comes the cooldown, which is no time of recovery.
            if was_in_flight and point.service == EXECUTOR and point.stage is not Stage.TAKING_OVER:
                result.resolved_seconds = time.monotonic() - ready_seconds
        await _look(house, result)
    except NOT_DONE as error:
        await _give_up(house, point, result, error)
    return result


async def trouble(house: House, what: Trouble, point: Point, symbol: str) -> Result:
    """A neighbour is in trouble from the moment at which the service stands at the point; a while later it is well."""
    result = Result(f"{what.name}, {point.stage}", f"{title_of(point.service)} at {point.name}", symbol)
    try:
        async with _on_its_way(house, point, symbol, End.HOLDS):
            await house.reached(point.service, REACHED_WITHIN_SECONDS)
            await what.begin(house)
            house.release(point.service)
            await asyncio.sleep(what.seconds)
            await what.end(house)
            await house.revive()
            await _at_rest(house, symbol)
        await _look(house, result)
    except NOT_DONE as error:
        await _give_up(house, point, result, error)
    return result


async def pause(house: House, point: Point, symbol: str) -> Result:
    """The executor stands still at the point until another one has taken its work over; then it wakes up."""
    result = Result(f"paused while another takes over, {point.stage}", point.name, symbol)
    try:
        async with _on_its_way(house, point, symbol, End.STOPS):
            await house.reached(point.service, REACHED_WITHIN_SECONDS)
            try:
                async with house.second_executor():
                    await _at_rest(house, symbol)
            finally:
                house.go_on(point.service)
            await asyncio.sleep(WOKEN_SECONDS)
            await _at_rest(house, symbol)
        await _look(house, result)
    except NOT_DONE as error:
        await _give_up(house, point, result, error)
    return result


async def _give_up(house: House, point: Point, result: Result, error: Exception) -> None:
    result.failures.append(str(error) or repr(error))
    house.disarm(point.service)
    house.release(point.service)
    await house.revive()


async def _at_rest(house: House, symbol: str) -> None:
    async def nothing_in_flight() -> bool:
        return not await house.value(_IN_FLIGHT, symbol)

    await until(f"nothing of {symbol} is in flight", nothing_in_flight, AT_REST_WITHIN_SECONDS)


async def _look(house: House, result: Result) -> None:
    """The invariants of positions and effects for this symbol, as it came to rest."""
    ledgers, orders = await until(
        f"{result.symbol} stays as it is", lambda: _stood_still(house, result.symbol), AT_REST_WITHIN_SECONDS
    )
    for ledger in ledgers:
        for kind in ("orders", "positions", "fills"):
            ledger[kind] = [row for row in ledger[kind] if row["symbol"] == result.symbol]
    result.failures += invariants.positions(ledgers, orders)
    result.failures += invariants.effects(ledgers, orders)
    result.failures += invariants.limits(ledgers, orders)


async def _stood_still(house: House, symbol: str) -> tuple[list[Row], list[Row]] | None:
    """Venues and ledger at one moment: nothing in flight, and nothing new, while both were read.

    A message that comes again may open the trade at any time.
    """
    before = await _orders(house, symbol)
    ledgers = await house.ledgers()
    is_in_flight = await house.value(_IN_FLIGHT, symbol)
    return None if is_in_flight or before != await _orders(house, symbol) else (ledgers, before)


async def _orders(house: House, symbol: str) -> list[Row]:
    return [order for order in await invariants.all_orders(house) if order["symbol"] == symbol]


@asynccontextmanager
async def _on_its_way(house: House, point: Point, symbol: str, end: End) -> AsyncIterator[None]:
    """Brings the symbol to the point; what has to come of it in the end is waited for after the block."""
    wish = await _set_out(house, point, symbol, end)
    try:
        yield
        if wish is not None:
            await wish
    finally:
        if wish is not None:
            wish.cancel()
            await asyncio.gather(wish, return_exceptions=True)


async def _set_out(house: House, point: Point, symbol: str, end: End) -> asyncio.Task[None] | None:
    """Arms the point as soon as only its stage is left to come, and lets that begin."""
    match point.stage:
        case Stage.OPENING | Stage.GOING_QUIET:
            house.arm(point, symbol, end)
            return _posting(house, symbol)
        case Stage.FUNDING:
            await opened(house, symbol)
            house.arm(point, symbol, end)
            return None
        case Stage.LEFT_ALONE:
            await house.stack.parts.kill(title_of(EXECUTOR))
            house.arm(point, symbol, end)
            await house.post_observation(symbol)
            return asyncio.create_task(_heard_again(house, point, symbol))
        case Stage.STICKING:
            await house.fault(symbol, kind="stuck")
            house.arm(point, symbol, end)
            return _posting(house, symbol)
        case Stage.QUARANTINING | Stage.GIVING_UP | Stage.QUARANTINING_NEWS:
            house.arm(point, symbol, end)
            await _misspoken(house, point.stage, symbol)
            return None
        case Stage.SIGNING_IN:
            house.arm(point, symbol, end)
            return asyncio.create_task(_signed_in_and_out(house))
        case Stage.SIGNING_OUT:
            return asyncio.create_task(_signed_in_and_out(house, partial(house.arm, point, symbol, end)))
        case Stage.SKIPPING:
            await house.price(symbol, NO_GAP_PRICE)
            house.arm(point, symbol, end)
            return _posting(house, symbol)
        case Stage.RETRYING:
            await _skipped(house, symbol)
            house.arm(point, symbol, end)
            await house.price(symbol, GAP_PRICE)
            return None
        case Stage.EXPIRING:
            await _skipped(house, symbol)
            house.arm(point, symbol, end)
            return asyncio.create_task(_expired(house, symbol))
        case Stage.UNWINDING:
            await house.reject_one_order(symbol)
            house.arm(point, symbol, end)
            return _posting(house, symbol)
        case Stage.FLATTENING_BY_HAND:
            await _funded(house)
            await house.open_by_hand(symbol)
            house.arm(point, symbol, end)
            return asyncio.create_task(_flattened(house, symbol, None, is_repeated=_is_lost(point)))
        case Stage.MOVING_STATE:
            house.arm(point, symbol, end)
            return asyncio.create_task(_state_moved(house, is_repeated=_is_lost(point)))
        case Stage.MOVING_STATE_BY_KEY:
            house.arm(point, symbol, end)
            return asyncio.create_task(_state_moved(house, is_repeated=True, key=f"key-of-{symbol}"))
    signal_id = await opened(house, symbol)
    if point.stage is Stage.CORRECTING:
        await _finalised_too_early(house, symbol, signal_id)
    if point.stage is Stage.SETTLING:
        await _funded(house)
        await closed_on_demand(house, signal_id, is_repeated=True)
    if point.stage is Stage.CLOSING_SLOWLY:
        await house.fault(symbol, kind="delay", seconds=SLOW_SECONDS)
    house.arm(point, symbol, end, signal_id)
    match point.stage:
        case Stage.CHANGING:
            return asyncio.create_task(_until_reached(house, point, partial(house.post_observation, symbol)))
        case Stage.REFUSING:
            wish = {"signal_id": signal_id, "entries": 1, "evidence": {}}
            return asyncio.create_task(_until_reached(house, point, partial(house.say, SCALE_IN_REQUESTED, wish)))
        case Stage.TAKING_OVER:
            return asyncio.create_task(_taken_over(house, symbol, signal_id))
        case Stage.SCALING_IN:
            await house.price(symbol, WIDE_GAP_PRICE)
            return _posting(house, symbol)
        case Stage.TAKING_PROFIT:
            await house.price(symbol, NO_GAP_PRICE)
        case Stage.CLOSED_BY_HAND:
            await house.close_by_hand(symbol)
            return asyncio.create_task(_closed(house, signal_id))
        case Stage.CLOSING | Stage.CLOSING_SLOWLY:
            return asyncio.create_task(closed_on_demand(house, signal_id, is_repeated=_is_lost(point)))
        case Stage.FLATTENING:
            return asyncio.create_task(_flattened(house, symbol, signal_id, is_repeated=_is_lost(point)))
    return None


def _posting(house: House, symbol: str) -> asyncio.Task[None]:
    return asyncio.create_task(house.post_observation(symbol))


async def _skipped(house: House, symbol: str) -> None:
    """A signal is skipped while there is no gap; its retry opens it once there is one."""
    await house.price(symbol, NO_GAP_PRICE)
    await house.post_observation(symbol)

    await until(f"{symbol} is skipped", partial(_has_become, house, symbol, "skipped"), OPEN_WITHIN_SECONDS)


async def _expired(house: House, symbol: str) -> None:
    within_seconds = REACHED_WITHIN_SECONDS + AT_REST_WITHIN_SECONDS
    await until(f"{symbol} is expired", partial(_has_become, house, symbol, "expired"), within_seconds)


async def _has_become(house: House, symbol: str, status: str) -> bool:
    return any(row["status"] == status for row in await house.rows(_SIGNALS, symbol))


async def opened(house: House, symbol: str) -> int:
    """Opens a trade of the symbol undisturbed."""
    await house.post_observation(symbol)

    async def open_trade() -> int | None:
        return next((row["id"] for row in await house.rows(_SIGNALS, symbol) if row["status"] == "open"), None)

    return await until(f"{symbol} is open", open_trade, OPEN_WITHIN_SECONDS)


async def _funded(house: House) -> None:
    """Waits for the one funding settlement: a trade that is open by then has a payment, what comes later has none."""
    clock = house.stack.market_clock()

    async def settled() -> bool:
        return clock.now() > FUNDED_AT

    await until("funding is settled", settled, OPEN_WITHIN_SECONDS)


def _is_lost(point: Point) -> bool:
    """Whether the operator's request itself ends with the gateway, so that he has to ask again."""
    return point.service == GATEWAY and point.side in (Side.BEFORE, Side.UNCOMMITTED)


async def closed_on_demand(house: House, signal_id: int, *, is_repeated: bool) -> None:
    """An operator asks, once or until he is answered, and the trade is closed."""
    await _asked(f"the close of trade {signal_id}", partial(house.ask_to_close, signal_id), is_repeated=is_repeated)
    await _closed(house, signal_id)


async def _flattened(house: House, symbol: str, signal_id: int | None, *, is_repeated: bool) -> None:
    """The same for a flatten of the trade's long leg: the trade is closed as a whole, and the wish is answered.

    Without a trade it is for what somebody opened by hand.
    """
    ask = partial(house.ask_to_flatten, symbol, include_unowned=signal_id is None)
    await _asked(f"the flatten of {symbol}", ask, is_repeated=is_repeated)
    if signal_id is not None:
        await _closed(house, signal_id)

    async def told() -> bool:
        states = [row["state"] for row in await house.rows(_FLATTENS, symbol)]
        return bool(states) and set(states) == {"flat"}

    await until(f"{symbol} is told to be flat", told, AT_REST_WITHIN_SECONDS)


async def _state_moved(house: House, *, is_repeated: bool, key: str | None = None) -> None:
    """Trading moves to reducing and, so that the next case can open, to active again."""
    for state in ("reducing", "active"):
        ask = partial(house.ask_for_state, state, key and f"{key}-{state}")
        await _asked(f"trading to be {state}", ask, is_repeated=is_repeated or state == "active")
        await until(f"trading is {state}", partial(_is_state, house, state), AT_REST_WITHIN_SECONDS)


async def _is_state(house: House, state: str) -> bool:
    return bool(await house.value(_STATE) == state)


async def _asked(what: str, ask: Callable[[], Awaitable[bool]], *, is_repeated: bool) -> None:
    async def asked() -> bool:
        return await ask() or not is_repeated

    await until(f"{what} is asked for", asked, ASKED_WITHIN_SECONDS)


async def _finalised_too_early(house: House, symbol: str, signal_id: int) -> None:
    """The account of a trade is final before its venue shows the payment of the settlement."""
    await house.fault(symbol, kind="lag", endpoint="funding", seconds=LATE_SECONDS, for_seconds=LATE_SECONDS)
    await _funded(house)
    await closed_on_demand(house, signal_id, is_repeated=True)

    async def is_final() -> bool:
        return bool(await house.value(_IS_FINAL, signal_id))

    await until(f"trade {signal_id} is final", is_final, AT_REST_WITHIN_SECONDS)


async def _closed(house: House, signal_id: int) -> None:
    async def closed() -> bool:
        return bool(await house.value(_IS_CLOSED, signal_id))

    await until(f"trade {signal_id} is closed", closed, AT_REST_WITHIN_SECONDS)


async def _until_reached(house: House, point: Point, act: Callable[[], Awaitable[None]]) -> None:
    """Does it again and again: a wish is dropped while its trade is busy, and a late observation is a new event."""
    while not house.has_reached(point.service):
        await act()
        await asyncio.sleep(AGAIN_SECONDS)


async def _heard_again(house: House, point: Point, symbol: str) -> None:
    """The executor was away when the event was told, and comes back once it is told again."""
    await house.reached(point.service, REACHED_WITHIN_SECONDS)
    await house.restart(title_of(EXECUTOR))
    await until(f"{symbol} is open", partial(_has_become, house, symbol, "open"), OPEN_WITHIN_SECONDS)


async def _taken_over(house: House, symbol: str, signal_id: int) -> None:
    """The strategy's close gets stuck at a venue that rejects its orders, and an operator asks for it."""
    await house.fault(symbol, kind="reject", times=REJECTIONS)
    await house.price(symbol, NO_GAP_PRICE)
    await until(f"{symbol} is closing", partial(_has_become, house, symbol, "closing"), OPEN_WITHIN_SECONDS)
    await closed_on_demand(house, signal_id, is_repeated=False)


async def _misspoken(house: House, stage: Stage, symbol: str) -> None:
    """Somebody says what nobody understands, and each who hears it has to put it aside."""
    subject = {Stage.QUARANTINING: EVENT_CHANGED, Stage.GIVING_UP: UNKNOWN_EVENT}.get(stage, TRADE_CHANGED)
    listeners = [GATEWAY, MONITOR] if subject == TRADE_CHANGED else [EXECUTOR]
    house.unreadable += [(listener, symbol) for listener in listeners]
    await house.say(subject, {"about": symbol})


async def _signed_in_and_out(house: House, before_leaving: Callable[[], None] = lambda: None) -> None:
    """Somebody signs in on the page until he is in, is known by his cookie, and signs out until he is out."""
    url = f"{house.stack.service_url(GATEWAY)}/api/session"

    async def asked(method: str, session: str | None = None, wish: Mapping[str, str] | None = None) -> httpx.Response:
        headers = {"Cookie": f"{SESSION_COOKIE}={session}", CSRF_HEADER: csrf_token(session)} if session else {}
        async with httpx.AsyncClient(trust_env=False) as page:
            return await page.request(method, url, headers=headers, json=wish)

    async def session_begun() -> str | None:
        with suppress(httpx.TransportError):
            return (await asked("POST", wish={"token": house.token})).cookies.get(SESSION_COOKIE)
        return None

    async def is_answered(method: str, *statuses: int) -> bool:
        with suppress(httpx.TransportError):
            return (await asked(method, session)).status_code in statuses
        return False

    session = await until("somebody is in", session_begun, AT_REST_WITHIN_SECONDS)
    await until("his cookie is good", partial(is_answered, "GET", 200), AT_REST_WITHIN_SECONDS)
    before_leaving()
    await until("he is out", partial(is_answered, "DELETE", 204, 401), AT_REST_WITHIN_SECONDS)
    await until("his cookie is of no use", partial(is_answered, "GET", 401), AT_REST_WITHIN_SECONDS)
