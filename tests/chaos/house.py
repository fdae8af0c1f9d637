"""The whole stack with every service under watch: started, armed, ended, started again, asked over HTTP and SQL."""

import asyncio
import itertools
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
import httpx
import nats
import orjson

from chaos import crashing
from chaos.market import observation, write_scenario
from chaos.paper_books import PAPER_BOOKS, paper_ledgers
from chaos.points import EXECUTOR, Point
from common.domain.identifiers import unspelled
from common.persistence.database import DATABASE_AWAY
from common.runtime.access import Role, new_token
from local_stack.nats import answers
from local_stack.ports import LOOPBACK, Ports, claimed
from local_stack.processes import Command, Part, PartFailed
from local_stack.services import SERVICES, title_of, url_at
from local_stack.stack import LocalStack, StackPlan
from support.alert_receiver import Receiver, receiving
from support.embedded_stack import quiet_screen
from support.fault_proxy import FaultProxy, fault_proxy
from support.running_stack import RunningStack

T = TypeVar("T")

TESTS = Path(__file__).resolve().parents[1]
POLL_SECONDS = 0.02
RESTART_WITHIN_SECONDS = 30.0
HTTP_TIMEOUT_SECONDS = 15.0
SECOND_EXECUTOR = "executor-2"
QUANTITY_BY_HAND = "1"
"""Base units."""
DOORS = {"postgres": "DATABASE_URL", "nats": "NATS_URL"}
"""The variable in which a service finds each part."""


class NotReached(AssertionError):
    """What was waited for did not happen within its time."""


async def until(
    what: str, look: Callable[[], Awaitable[T | None]], within_seconds: float, pause_seconds: float = POLL_SECONDS
) -> T:
    """What `look` answers as soon as it is neither None nor false.

    Raises:
        NotReached: not within the time.
    """
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if found := await look():
            return found
        await asyncio.sleep(pause_seconds)
    raise NotReached(f"not within {within_seconds:g} s: {what}")


class House:
    """One running stack. Its services may end at any time: that is no failure of the stack."""

    def __init__(
        self,
        stack: LocalStack,
        http: httpx.AsyncClient,
        directory: Path,
        proxies: Mapping[str, FaultProxy],
        told: Receiver | None = None,
        token: str = "",
        *,
        is_on_paper: bool = False,
    ) -> None:
        self.stack = stack
        self.told = told
        """Who the gateway's alerts go to; None where they are off."""
        self.token = token
        """What lets in; empty where nobody is asked for it."""
        self.is_on_paper = is_on_paper
        self.http = http
        self.directory = directory
        self.short_venue, self.long_venue = (venue.name for venue in stack.venues)
        self._proxies = proxies
        self.running = RunningStack(stack, http)
        self.revived: list[str] = []
        self.by_hand: list[dict[str, Any]] = []
        """What somebody opened without Tandem, as orders are in the ledger: no trade holds it."""
        self.unreadable: list[tuple[str, str]] = []
        """Who has to quarantine a message, and what stands in it."""
        self._pool: asyncpg.Pool[Any] | None = None
        self._numbers = itertools.count(1)

    # --- processes

    def arm(self, point: Point, symbol: str, end: crashing.End, trade: int | None = None) -> None:
        """From now on the service comes to this end at the point."""
        for stale in ("reached", "released"):
            (self.directory / f"{point.service}.{stale}").unlink(missing_ok=True)
        armed = crashing.Armed(point.target.name, point.side, point.nth, symbol, end, trade)
        armed.write(self.directory, point.service)

    def disarm(self, service: str) -> None:
        (self.directory / f"{service}.armed").unlink(missing_ok=True)

    def release(self, service: str) -> None:
        (self.directory / f"{service}.released").touch()

    def has_reached(self, service: str) -> bool:
        return (self.directory / f"{service}.reached").exists()

    async def reached(self, service: str, within_seconds: float) -> None:
        """Waits until the armed point of a service is reached."""

        async def look() -> bool:
            return self.has_reached(service)

        try:
            await until("the point is reached", look, within_seconds)
        except NotReached:
            self.disarm(service)
            raise

    async def ended(self, service: str) -> None:
        """Waits for the end of a service that has reached its point.

        Raises:
            NotReached: it was not killed, it ended by itself.
        """
        code = await asyncio.wait_for(self.stack.parts.child(title_of(service)).wait(), RESTART_WITHIN_SECONDS)
        if code != -signal.SIGKILL:
            raise NotReached(f"{service} ended with {code}, not by kill -9")

    async def restart(self, part: str) -> float:
        """Starts a part again and waits until it is ready; the monotonic second at which it was.

        A PostgreSQL that was killed refuses to start until the last of its old children is gone.
        """
        deadline = time.monotonic() + RESTART_WITHIN_SECONDS
        while True:
            try:
                await self.stack.parts.restart(part)
            except PartFailed:
                if part != "postgres" or time.monotonic() > deadline:
                    raise
                continue
            return time.monotonic()

    async def revive(self) -> None:
        """Starts every service that has ended by itself, as its supervisor would, and remembers which."""
        for service in SERVICES:
            child = self.stack.parts.child(title_of(service))
            if child.exit_code is not None:
                self.revived.append(f"{service} ended by itself: {child.tail[-1] if child.tail else 'no word'}")
                await self.restart(title_of(service))

    @asynccontextmanager
    async def second_executor(self) -> AsyncIterator[None]:
        """Another executor beside the first, until the end of the block."""
        first = self.stack.parts.child(EXECUTOR).command
        with claimed({SECOND_EXECUTOR: 0}) as ports:
            url = url_at(ports[SECOND_EXECUTOR])
            environment = {**first.environment, "HTTP_PORT": str(ports[SECOND_EXECUTOR])}

            async def is_ready() -> str | None:
                return await answers(self.http, f"{url}/health/ready")

            command = replace(first, name=SECOND_EXECUTOR, environment=environment)
            await self.stack.parts.start_group([Part(SECOND_EXECUTOR, command, is_ready)])
            try:
                yield
            finally:
                await self.stack.parts.stop(SECOND_EXECUTOR)

    def go_on(self, service: str) -> None:
        """Lets a stopped process run again."""
        self.stack.parts.child(title_of(service)).send_signal(signal.SIGCONT)

    def proxy(self, part: str) -> FaultProxy:
        """What stands before `nats` or `postgres`."""
        return self._proxies[part]

    # --- database

    async def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """Rows of a query as the owner; a database that is away is asked again until it is there."""
        deadline = time.monotonic() + RESTART_WITHIN_SECONDS
        while True:
            try:
                if self._pool is None:
                    self._pool = await asyncpg.create_pool(self.stack.owner_dsn, min_size=0, max_size=2, timeout=5)
                return [dict(row) for row in await self._pool.fetch(query, *arguments)]
            except DATABASE_AWAY:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(POLL_SECONDS)

    async def value(self, query: str, *arguments: object) -> Any:
        """The first column of the first row, or None."""
        rows = await self.rows(query, *arguments)
        return next(iter(rows[0].values())) if rows else None

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()

    # --- the world outside

    async def post_observation(self, symbol: str) -> None:
        """Posts until it is answered with success, as a caller does who was not answered."""

        async def posted() -> bool:
            url = f"{self.stack.service_url('signal_ingest')}/signals"
            return await self._accepted(url, observation(symbol, self.long_venue, self.short_venue), {201})

        await until(f"the observation of {symbol} is taken", posted, RESTART_WITHIN_SECONDS)

    async def ask_to_close(self, signal_id: int) -> bool:
        """One operator's request; False where nobody answered it."""
        url = f"{self.stack.service_url('api_gateway')}/api/live_trading/force_close"
        order = {"signal_id": signal_id, "who": "chaos", "why": "the test asks for it", "wait_seconds": 0}
        return await self._accepted(url, order, {200, 202, 409})

    async def ask_to_flatten(self, symbol: str, *, include_unowned: bool) -> bool:
        """The same for a flatten of the symbol at the cheap venue."""
        url = f"{self.stack.service_url('api_gateway')}/api/live_trading/flatten_position"
        where = {"venue": self.long_venue, "symbol": symbol, "include_unowned": include_unowned}
        order = {**where, "who": "chaos", "why": "the test asks for it", "wait_seconds": 0}
        return await self._accepted(url, order, {200, 202, 409})

    async def ask_for_state(self, state: str, key: str | None = None) -> bool:
        """The same for a trading state; under a key only the answer counts that is kept for it."""
        url = f"{self.stack.service_url('api_gateway')}/api/live_trading/trading_state"
        order = {"state": state, "who": "chaos", "why": "the test asks for it", "wait_seconds": 0}
        if key is None:
            return await self._accepted(url, order, {200, 202})
        return await self._accepted(url, order, {200, 202}, not_yet={409, 503}, headers={"Idempotency-Key": key})

    async def _accepted(
        self,
        url: str,
        body: Mapping[str, object],
        answers: AbstractSet[int],
        not_yet: AbstractSet[int] = frozenset({503}),
        headers: Mapping[str, str] | None = None,
    ) -> bool:
        try:
            response = await self.http.post(url, json=body, headers=headers)
        except httpx.TransportError:
            return False
        if response.status_code not in answers | not_yet:
            raise NotReached(f"{url} answered {response.status_code} {response.text[:300]}")
        return response.status_code in answers

    async def price(self, symbol: str, mid: float) -> None:
        """Sets the mid price of the dear venue."""
        await self._command(self.short_venue, "price", {"symbol": symbol, "mid": str(mid)})

    async def reject_one_order(self, symbol: str) -> None:
        """The dear venue rejects the next order of the symbol: the other leg is left alone."""
        await self.fault(symbol, kind="reject", reason="margin")

    async def fault(self, symbol: str, **fault: str) -> None:
        """Something goes wrong with the next order of the symbol at the dear venue."""
        await self._command(self.short_venue, "faults", {"symbol": symbol, **fault})

    async def say(self, subject: str, payload: Mapping[str, object]) -> None:
        """Publishes a message of somebody else."""
        number = next(self._numbers)
        message = {"id": f"chaos-{number}", "subject": subject, "producer": "chaos", "payload": payload}
        body = orjson.dumps({**message, "sent_at": self.stack.market_clock().now()})
        connection = await nats.connect(self.stack.nats_url)
        try:
            await connection.jetstream().publish(subject, body)
        finally:
            await connection.close()

    async def close_by_hand(self, symbol: str) -> None:
        """Somebody closes the long leg at its venue, without Tandem."""
        await self._command(self.long_venue, "actions", {"kind": "external_close", "symbol": symbol})

    async def open_by_hand(self, symbol: str) -> None:
        """Somebody buys of a symbol that nobody trades at the cheap venue, without Tandem."""
        await self._command(
            self.long_venue, "actions", {"kind": "external_open", "symbol": symbol, "quantity": QUANTITY_BY_HAND}
        )
        (order,) = (o for ledger in await self.ledgers() for o in ledger["orders"] if o["symbol"] == symbol)
        self.by_hand.append(
            {
                "signal_id": None,
                "symbol": symbol,
                "venue": self.long_venue,
                "side": order["side"],
                "client_order_id": f"by-hand-{order['venue_order_id']}",
                "venue_order_id": order["venue_order_id"],
                "filled_quantity": Decimal(order["filled_quantity"]),
                "trade_status": None,
            }
        )

    async def _command(self, venue: str, kind: str, body: Mapping[str, str]) -> None:
        (await self.http.post(f"{self.stack.venue(venue).url}/control/{kind}", json=body)).raise_for_status()

    async def ledgers(self) -> list[dict[str, Any]]:
        """What each venue has in its books of our account; on paper they are our own."""
        if self.is_on_paper:
            return paper_ledgers({table: await self.rows(query) for table, query in PAPER_BOOKS.items()})
        return await self.venue_ledgers()

    async def venue_ledgers(self) -> list[dict[str, Any]]:
        """What each venue has in its own books, with our client ids as the ledger has them.

        An order of `by_hand` has the name that it has there: not every venue gives it one.
        """
        names = {(order["venue"], order["venue_order_id"]): order["client_order_id"] for order in self.by_hand}
        answers = [await self.http.get(f"{venue.url}/control/ledger") for venue in self.stack.venues]
        ledgers = [json.loads(answer.raise_for_status().text, parse_float=Decimal) for answer in answers]
        for ledger in ledgers:
            for row in (*ledger["orders"], *ledger["fills"]):
                by_hand = names.get((ledger["venue"], row["venue_order_id"]))
                row["client_order_id"] = by_hand or unspelled(row["client_order_id"])
        return ledgers


@dataclass(frozen=True)
class Fittings:
    """What a house has beyond the services and venues that every house has."""

    is_proxied: bool = False
    """The services reach NATS and PostgreSQL through proxies."""
    is_told: bool = False
    """Alerts go to somebody, and nobody gets in without a token."""
    is_on_paper: bool = False
    venues: tuple[str, ...] = ()
    """The dear one and the cheap one, in place of the market's own."""


PLAIN = Fittings()


@asynccontextmanager
async def opened_house(folder: Path, fittings: Fittings) -> AsyncIterator[House]:
    """A running house whose market time runs."""
    directory = folder / "points"
    directory.mkdir(parents=True)
    ports = Ports.ephemeral()
    async with AsyncExitStack() as exits:
        if fittings.is_proxied:  # a proxy has to know its target before the target is started
            behind = exits.enter_context(claimed(dict.fromkeys(DOORS, 0)))
            ports = replace(ports, postgres=behind["postgres"], nats=behind["nats"])
        proxies = {
            part: await exits.enter_async_context(fault_proxy(getattr(ports, part)))
            for part in (DOORS if fittings.is_proxied else ())
        }
        told = await exits.enter_async_context(receiving()) if fittings.is_told else None
        token, line = new_token("chaos", Role.OPERATE)
        settings = {"LIVE_TRADING_MODE": "paper", "LIVE_TRADING_CONFIRM_LIVE": ""} if fittings.is_on_paper else {}
        if told is not None:
            settings |= {"ALERT_URLS": told.url, "ACCESS_REQUIRED": "1", "ACCESS_TOKENS": line}
        plan = StackPlan(
            scenario_path=write_scenario(folder / "chaos.toml"),
            scenario_venues=fittings.venues,
            services=SERVICES,
            settings=settings,
            call=_under_watch(directory, {DOORS[part]: proxy.port for part, proxy in proxies.items()}),
            ports=ports,
            var=folder / "var",
        )
        stack = await exits.enter_async_context(LocalStack(plan, quiet_screen()))
        headers = {"Authorization": f"Bearer {token}"} if fittings.is_told else {}
        timeout = httpx.Timeout(HTTP_TIMEOUT_SECONDS)
        client = httpx.AsyncClient(headers=headers, timeout=timeout, trust_env=False)
        http = await exits.enter_async_context(client)
        house = House(stack, http, directory, proxies, told, token, is_on_paper=fittings.is_on_paper)
        exits.push_async_callback(house.close)
        stack.start_clock()
        yield house


def _under_watch(directory: Path, doors: Mapping[str, int]) -> Callable[[str, Command], Command]:
    """How a service is called so that it can be armed; `doors`: other ports in the addresses of these variables."""

    def call(service: str, command: Command) -> Command:
        environment = {**command.environment, "PYTHONPATH": str(TESTS), crashing.DIRECTORY: str(directory)}
        for variable, port in doors.items():
            environment[variable] = _with_port(environment[variable], port)
        return replace(
            command, arguments=(command.arguments[0], "-m", "chaos.crashing", service), environment=environment
        )

    return call


def _with_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{user}@{LOOPBACK}:{port}" if user else f"{LOOPBACK}:{port}").geturl()
