"""The part of a venue's budget that this process may spend now, leased from what all processes share.

`SharedBudget` says who may lease how much: it is a pure function of the shared record. `LocalBudget` spends what was
leased; it never waits. What is leased is counted by spans of unix time, so that what a process did not spend, or died
with, is free again with the next span.
"""

import json
from dataclasses import dataclass
from math import ceil

from common.runtime.clock import Clock
from common.runtime.metrics import BudgetMeasures
from common.venues.ccxt.request_limits import Budget

PORTIONS = 8
"""A lease of the ordinary part is an eighth of it at the least, so that busy processes ask a few times a span."""


@dataclass(frozen=True, slots=True)
class Share:
    """Units of one span of `lease_seconds`, counted from 1970."""

    ordinary: int = 0
    reserve: int = 0

    def __add__(self, other: "Share") -> "Share":
        return Share(self.ordinary + other.ordinary, self.reserve + other.reserve)


@dataclass(frozen=True, slots=True)
class SharedBudget:
    """What is leased, by all processes, of a span and the one after it."""

    leased: dict[int, Share]

    @classmethod
    def read(cls, text: bytes | None) -> "SharedBudget":
        """From the text of `text`; what cannot be read is counted as nothing leased."""
        try:
            rows = json.loads(text or b"{}")
            return cls({int(span): Share(int(row[0]), int(row[1])) for span, row in rows.items()})
        except (ValueError, TypeError, AttributeError, LookupError):
            return cls({})

    def text(self) -> bytes:
        """As it is shared."""
        return json.dumps({str(span): [share.ordinary, share.reserve] for span, share in self.leased.items()}).encode()

    def lease(self, budget: Budget, span: int, wanted: Share) -> tuple["SharedBudget", Share]:
        """The record with as much of `wanted` as the span still has, and that much. Spans that are over are dropped."""
        before = self.leased.get(span, Share())
        granted = Share(
            max(0, min(wanted.ordinary, budget.ordinary_units - before.ordinary)),
            max(0, min(wanted.reserve, budget.reserve_units - before.reserve)),
        )
        kept = {at: share for at, share in self.leased.items() if at >= span - 1}
        return SharedBudget(kept | {span: before + granted}), granted

    def left(self, budget: Budget, span: int) -> int:
        """Ordinary units of the span that nobody has leased."""
        return max(0, budget.ordinary_units - self.leased.get(span, Share()).ordinary)


class LocalBudget:
    """Spends this process's leases. `trades`: it also leases of the reserve, half of it at a time, always ahead."""

    def __init__(self, budget: Budget, clock: Clock, measures: BudgetMeasures, *, trades: bool) -> None:
        self.budget = budget
        self._clock = clock
        self._measures = measures
        self._portion = Share(ceil(budget.ordinary_units / PORTIONS), ceil(budget.reserve_units / 2) if trades else 0)
        self._leased: dict[int, Share] = {}
        self._spent: dict[int, Share] = {}
        self._refused: dict[int, int] = {}
        self._left_shared: dict[int, int] = {}
        self._last = self._portion
        """What it was given of the last span: it goes on with that while nobody can be asked. At first a portion."""
        self._is_alone = False
        measures.left(self.left_shared)

    @property
    def left_shared(self) -> int:
        """Ordinary units that nobody has leased of the span that is now, as far as this process was told."""
        return self._left_shared.get(self.span(), self.budget.ordinary_units)

    @property
    def may_get_more(self) -> bool:
        """Whether asking at once could bring anything: somebody can be asked, and something is left."""
        return not self._is_alone and self.left_shared > 0

    def may_spend(self, units: int, *, urgent: bool) -> bool:
        """Whether that much can be spent now; what cannot is wanted from then on."""
        span = self.span()
        left = self._left(span)
        if units > left.ordinary:
            self._refused[span] = max(self._refused.get(span, 0), units)
        return units <= max(0, left.ordinary) + (max(0, left.reserve) if urgent else 0)

    def spend(self, units: int) -> None:
        """Spends what `may_spend` allowed, of the ordinary part first."""
        span = self.span()
        ordinary = max(0, min(units, self._left(span).ordinary))
        self._spent[span] = self._spent.get(span, Share()) + Share(ordinary, units - ordinary)
        self._measures.used(units)

    def span(self) -> int:
        """The span of unix time that is now."""
        return int(self._clock.unix_seconds() // self.budget.lease_seconds)

    def span_ends_at(self) -> float:
        """Unix time at which the next span begins."""
        return float((self.span() + 1) * self.budget.lease_seconds)

    def wanted(self) -> list[tuple[int, Share]]:
        """What should be leased now, by span: more of this one where it runs out, and the next one ahead."""
        span = self.span()
        self._forget_before(span - 1)
        self._measures.left(self.left_shared)
        wishes = [(span, self._wanted_now(span)), (span + 1, self._wanted_ahead(span))]
        return [(at, wish) for at, wish in wishes if wish != Share()]

    def grant(self, span: int, granted: Share, left_shared: int) -> None:
        """The shared record gave this much more of the span, and has `left_shared` ordinary units of it left."""
        self._left_shared[span] = left_shared
        self._leased[span] = self._leased.get(span, Share()) + granted
        self._refused.pop(span, None)
        self._is_alone = False
        if span == self.span():
            self._last = self._leased[span]

    def go_on_alone(self) -> None:
        """Nobody can be asked: until somebody can, every span has what the last one had."""
        self._is_alone = True

    def _held(self, span: int) -> Share:
        """The reserve is there also in a span that nobody has told of yet: what is urgent waits for no answer."""
        leased = self._leased.get(span)
        if leased is None:
            return Share(self._last.ordinary if self._is_alone else 0, self._last.reserve)
        if self._is_alone:
            return Share(max(leased.ordinary, self._last.ordinary), max(leased.reserve, self._last.reserve))
        return leased

    def _left(self, span: int) -> Share:
        held, spent = self._held(span), self._spent.get(span, Share())
        return Share(held.ordinary - spent.ordinary, held.reserve - spent.reserve)

    def _wanted_now(self, span: int) -> Share:
        """Also what was spent without a lease is leased, so that others do not get it a second time."""
        leased, spent = self._leased.get(span, Share()), self._spent.get(span, Share())
        ordinary, reserve = leased.ordinary - spent.ordinary, leased.reserve - spent.reserve
        refused = self._refused.get(span, 0)
        runs_out = ordinary < refused or (spent.ordinary > 0 and ordinary < self._portion.ordinary / 2)
        runs_out = runs_out and self.left_shared > 0
        return Share(
            max(refused, self._portion.ordinary) - ordinary if runs_out else 0,
            self._portion.reserve - reserve if reserve < self._portion.reserve / 2 else 0,
        )

    def _wanted_ahead(self, span: int) -> Share:
        """What the busier of this and the last span used, at most half of all so that others find some."""
        if span + 1 in self._leased:
            return Share()
        used = max(self._spent.get(at, Share()).ordinary for at in (span - 1, span))
        return Share(min(used, self.budget.ordinary_units // 2), self._portion.reserve)

    def _forget_before(self, span: int) -> None:
        for by_span in (self._leased, self._spent, self._refused, self._left_shared):
            for past in [at for at in by_span if at < span]:
                del by_span[past]
