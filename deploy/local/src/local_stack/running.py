"""A stack that is up, as a demo sees it: its own processes, or containers that somebody else started."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from common.runtime.clock import ReplayClock
from local_stack.services import ReplayTime


class VenuePlace(Protocol):
    """A simulated venue as its clients see it: `url` is its base address, without a trailing slash."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...


class RunningStack(Protocol):
    """What a demo needs of a stack that is up, wherever it runs."""

    @property
    def venues(self) -> Sequence[VenuePlace]: ...

    def service_url(self, service: str) -> str:
        """The base address of a service, without a trailing slash."""
        ...

    def market_clock(self) -> ReplayClock:
        """The clock that every process of the run has."""
        ...

    def start_clock(self) -> None:
        """Lets market time run."""
        ...


@dataclass(frozen=True)
class NamedUrl:
    """A venue that runs elsewhere."""

    name: str
    url: str


@dataclass(frozen=True)
class StackElsewhere:
    """A stack that others keep up: known by its addresses and by the file that starts its clock."""

    service_urls: Mapping[str, str]
    """By service package, without a trailing slash."""
    venues: tuple[NamedUrl, ...]
    replay: ReplayTime = field(repr=False)

    def service_url(self, service: str) -> str:
        return self.service_urls[service]

    def market_clock(self) -> ReplayClock:
        return self.replay.clock()

    def start_clock(self) -> None:
        self.replay.start()
