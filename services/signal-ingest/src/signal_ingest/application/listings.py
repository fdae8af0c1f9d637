"""Which venues exist for Tandem and what they trade, as far as that is known; what a posted observation gets wrong.

A venue whose instruments were not read yet refuses no symbol.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches

from signal_ingest.domain.observation import Observation

FUTURE_TOLERANCE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Objection:
    """One field that cannot be accepted: its value, and what is allowed."""

    field: str
    value: str
    allowed: str


class Listings:
    """Known venues, and the symbols of those whose instruments were read."""

    def __init__(self, venues: Iterable[str]) -> None:
        self.venues = frozenset(venues)
        self._symbols: dict[str, frozenset[str]] = {}

    def learn(self, venue: str, symbols: Iterable[str]) -> None:
        """The venue trades exactly these now."""
        self._symbols[venue] = frozenset(symbols)

    def objections(self, observation: Observation, now: datetime) -> list[Objection]:
        """Everything about a posted observation that is refused outright."""
        found = [
            Objection(f"{leg}.venue", quote.venue, f"one of {', '.join(sorted(self.venues))}")
            for leg, quote in (("long", observation.long), ("short", observation.short))
            if quote.venue not in self.venues
        ]
        if observation.observed_at - now > FUTURE_TOLERANCE:
            latest = (now + FUTURE_TOLERANCE).isoformat(timespec="seconds")
            found.append(Objection("observed_at", observation.observed_at.isoformat(), f"not after {latest}"))
        return found + self._unlisted(observation)

    def _unlisted(self, observation: Observation) -> list[Objection]:
        """A type C pair has a spot leg, which the instruments do not tell of: one listing perpetual is enough."""
        symbol = observation.symbol
        venues = sorted({observation.long.venue, observation.short.venue})
        missing = [venue for venue in venues if symbol not in self._symbols.get(venue, (symbol,))]
        if not missing or (observation.type == "C" and len(missing) < len(venues)):
            return []
        listed = frozenset[str]().union(*(self._symbols[venue] for venue in missing))
        close = get_close_matches(symbol, sorted(listed), n=5)
        hint = f"; close to it: {', '.join(close)}" if close else ""
        allowed = f"a symbol traded now on {' and '.join(missing)}, which this is not{hint}"
        return [Objection("symbol", symbol, allowed)]
