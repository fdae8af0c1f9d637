"""Valuing many trades on one book: the running totals of `BookSide` against a plain loop over the levels."""

import timeit
from collections.abc import Iterator
from decimal import Decimal

from common.domain.order_book import BookSide

LEVELS = 50
TRADES = 200
ROUNDS = 20

SIDE = tuple((Decimal(200) + Decimal(level) / 100, Decimal(3) + level % 7) for level in range(LEVELS))
QUANTITIES = [Decimal(1 + number) * Decimal("1.1") for number in range(TRADES)]


def plain_sweep(levels: tuple[tuple[Decimal, Decimal], ...], quantity: Decimal) -> Decimal:
    """The average price by walking level after level."""
    left, notional = quantity, Decimal(0)
    for price, available in levels:
        taken = min(left, available)
        notional += taken * price
        left -= taken
        if not left:
            return notional / quantity
    raise ValueError("the book is too thin")


def _with_totals() -> list[Decimal]:
    side = BookSide(SIDE)  # a new book each time, so that making the totals is counted
    return [side.sweep_quantity(quantity).price for quantity in QUANTITIES]


def _with_loop() -> list[Decimal]:
    return [plain_sweep(SIDE, quantity) for quantity in QUANTITIES]


def report() -> Iterator[str]:
    """The ratio of the two, from the best of five repetitions of each in turn."""
    if _with_totals() != _with_loop():
        raise AssertionError("the two sweeps disagree")
    totals, loop = [], []
    for _ in range(5):
        totals.append(timeit.timeit(_with_totals, number=ROUNDS) / ROUNDS)
        loop.append(timeit.timeit(_with_loop, number=ROUNDS) / ROUNDS)
    once = timeit.timeit(lambda: BookSide(SIDE).sweep_quantity(QUANTITIES[20]), number=2000) / 2000
    walk = timeit.timeit(lambda: plain_sweep(SIDE, QUANTITIES[20]), number=2000) / 2000
    yield f"sweep against a plain loop, book of {LEVELS} levels"
    yield _line(f"{TRADES} trades on one book", min(totals), min(loop))
    yield _line("one trade on a new book", once, walk) + "\n"


def _line(name: str, ours_seconds: float, loop_seconds: float) -> str:
    ratio = loop_seconds / ours_seconds
    return f"  {name}: {ours_seconds * 1e6:.1f} us, loop {loop_seconds * 1e6:.1f} us: {ratio:.2f} times as fast"
