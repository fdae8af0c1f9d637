"""The whole matrix: every case gets a symbol of its own, and several houses work at the cases side by side."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos import invariants
from chaos.cases import Result, Trouble, crash, pause, trouble
from chaos.house import PLAIN, Fittings, House, NotReached, opened_house, until
from chaos.market import NO_GAP_PRICE, SYMBOLS
from chaos.points import (
    ADD_FUNDING,
    CLAIM_ALERT,
    NATS_TROUBLE,
    PAPER_POINTS,
    PAUSES,
    POINTS,
    POSTGRES_TROUBLE,
    SEND_ALERT,
    SETTLE_ALERT,
    Point,
)
from chaos.repeating import all_again, copies_before_the_first_look, copies_while_it_lives
from chaos.troubles import cut, killed, silent, unanswered

Told = Callable[[Result], None]

SLOW = (CLAIM_ALERT, SEND_ALERT, SETTLE_ALERT)
"""What is killed here leaves an alert in its hands for two minutes: the other cases are played meanwhile."""
AT_THE_END_SECONDS = 90.0
"""A message that was in a process's hands when it ended comes again after 30 s; a final account needs 10 s more."""
AT_THE_END_TOLD_SECONDS = 180.0
"""An alert that was in a gateway's hands when it ended is free again after 120 s."""
AT_THE_END_PAUSE_SECONDS = 0.3

_UNFINISHED = """
SELECT symbol, id, status FROM watchlist.live_trade_signal
WHERE status IN ('new', 'opening', 'open', 'closing') OR (status IN ('closed', 'failed') AND finalised_at IS NULL)
UNION ALL
SELECT o.symbol, o.id, o.status || ', and not all of its fills are booked' FROM watchlist.operator_flatten_order o
WHERE o.status IN ('intent', 'working', 'unknown') OR o.filled_quantity <> (
    SELECT coalesce(sum(f.quantity), 0) FROM watchlist.operator_flatten_fill f
    WHERE f.order_id = o.id AND f.fee_usdt IS NOT NULL)
"""
_NOT_TOLD = """
SELECT s.symbol, s.id, 'not told of as ' || expected.kind AS status
FROM watchlist.live_trade_signal s CROSS JOIN (VALUES ('opened'), ('closed'), ('finalised')) AS expected (kind)
WHERE s.opened_at IS NOT NULL
    AND NOT EXISTS (SELECT FROM watchlist.alert a WHERE a.kind = expected.kind AND a.about = 'trade ' || s.id)
UNION ALL
SELECT a.about, a.id, 'an alert that waits' FROM watchlist.alert a WHERE a.state = 'waiting'
"""
_WITHOUT_SIGNAL = """
SELECT e.symbol, e.id, 'an event without a verdict' AS status FROM watchlist.watch_signal_event e
WHERE e.status <> 'forming' AND NOT EXISTS (SELECT FROM watchlist.live_trade_signal s WHERE s.event_id = e.id)
"""


@dataclass(frozen=True)
class Case:
    """One case, with a name to choose it by."""

    name: str
    play: Callable[[House, str], Awaitable[Result]]


def crash_case(point: Point) -> Case:
    return Case(f"{point.service} {point.stage} {point.name}", lambda house, symbol: crash(house, point, symbol))


def pause_case(point: Point) -> Case:
    return Case(f"paused {point.stage} {point.name}", lambda house, symbol: pause(house, point, symbol))


def trouble_case(what: Trouble, point: Point) -> Case:
    name = f"{what.name} {point.stage} {point.service} {point.name}"
    return Case(name, lambda house, symbol: trouble(house, what, point, symbol))


def killing_cases() -> list[Case]:
    """Funding first, a case a house: it needs a trade that is open at the one settlement. Then what takes its time."""
    points = sorted(POINTS, key=lambda point: (point.target is not ADD_FUNDING, point.target not in SLOW))
    return [
        *map(crash_case, points),
        *map(pause_case, PAUSES),
        *(trouble_case(killed("nats"), point) for point in NATS_TROUBLE),
        *(trouble_case(killed("postgres"), point) for point in POSTGRES_TROUBLE),
        Case("copies of an event", copies_before_the_first_look),
        Case("copies of all that was said", copies_while_it_lives),
    ]


def paper_cases() -> list[Case]:
    """What is played in a house on paper; the first ones need the one settlement."""
    return [Case(f"paper {case.name}", case.play) for case in map(crash_case, PAPER_POINTS)]


def proxy_cases() -> list[Case]:
    """What needs a house whose services reach NATS and PostgreSQL through proxies."""
    return [
        *(trouble_case(silent("nats"), point) for point in NATS_TROUBLE),
        *(trouble_case(kind("postgres"), point) for point in POSTGRES_TROUBLE for kind in (cut, unanswered)),
    ]


async def play(
    folder: Path,
    cases: Sequence[Case],
    told: Told,
    *,
    houses: int = 1,
    fittings: Fittings = PLAIN,
) -> list[Result]:
    """Plays the cases and then the end of every house; the results in the order in which they came."""
    waiting = deque(cases)
    results: list[Result] = []

    async def work(number: int) -> None:
        async with opened_house(folder / f"house-{number}", fittings) as house:
            await _work(house, waiting, results, told)

    await asyncio.gather(*map(work, range(houses)))
    return results


async def _work(house: House, waiting: deque[Case], results: list[Result], told: Told) -> None:
    symbols = iter(SYMBOLS)
    ours: list[Result] = []
    while waiting:
        ours.append(await waiting.popleft().play(house, next(symbols)))
        told(ours[-1])
        results.append(ours[-1])
    for result in await end(house, ours):
        told(result)
        results.append(result)


async def end(house: House, before: Sequence[Result]) -> list[Result]:
    """Lets every trade end by its own take-profit and be accounted for, and looks at everything at once."""
    began = time.monotonic()
    for symbol in {result.symbol for result in before if result.symbol}:
        await house.price(symbol, NO_GAP_PRICE)
    final = Result("the end of a house", f"{len(before)} cases")

    async def finished() -> bool:
        await house.revive()
        return not await _unfinished(house)

    within_seconds = AT_THE_END_SECONDS if house.told is None else AT_THE_END_TOLD_SECONDS
    try:
        await until("everything is finished", finished, within_seconds, AT_THE_END_PAUSE_SECONDS)
    except NotReached:
        left = await _unfinished(house)
        final.failures += [f"(g) {row['symbol']} {row['id']} is still {row['status']}" for row in left]
    repeated = await all_again(house)
    final.failures += await invariants.violations(house)
    final.failures += await invariants.accounts(house)
    final.failures += await invariants.said(house)
    final.failures += house.revived
    final.name += f", {time.monotonic() - began:.0f} s"
    return [repeated, final]


async def _unfinished(house: House) -> list[invariants.Row]:
    """What has not come to its end: rows with a symbol, an id and where it stands."""
    queries = (_UNFINISHED, _WITHOUT_SIGNAL, *([_NOT_TOLD] if house.told is not None else []))
    rows = [row for query in queries for row in await house.rows(query)]
    return [*rows, *await invariants.unread(house)]
