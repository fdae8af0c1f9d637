"""One run: servers in memory, processes over them, and the plan's troubles at their moments."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

from common.domain.identifiers import order_key_of
from common.messages.contracts import CloseRequested, FlattenRequested, Message, TradingStateRequested
from common.messages.envelope import Envelope
from common.messages.subjects import CLOSE_REQUESTED, FLATTEN_REQUESTED, TRADING_STATE_REQUESTED
from common.messaging.bus import MESSAGE_ID
from common.messaging.errors import TryLater
from common.runtime.service import PASSING_ERRORS
from common.runtime.settings import TradingSettings, load
from executor.domain.rails import Rails
from simulation.market import scenario, walks
from simulation.network import Line
from simulation.plan import Plan, Trap, Trouble
from simulation.processes import NO_RAILS, SERVICES, Surroundings
from simulation.story import told_of
from support.memory_jetstream import Disorder, MemoryJetStream, MemoryNats
from support.memory_pool import MemoryPool
from support.memory_postgres import Row, Table
from support.memory_schema import open_memory_database
from support.virtual_process import Life, begin, keep_tasks
from support.virtual_time import VirtualClock, VirtualLoop
from support.virtual_venue import VirtualVenue
from support.virtual_venue_server import VenueServer
from venue_sim.account import Order
from venue_sim.dialects import open_venue
from venue_sim.dialects.wire import Credentials
from venue_sim.interventions import Intervention
from venue_sim.refusals import Refusal

RESTART_AFTER_FAILURE_SECONDS = 1.0
RAILS = Rails(Decimal(60), 3, 2.0)
BUS_SECONDS = 0.001


@dataclass(eq=False)
class Process:
    """One process through all its lives."""

    name: str
    service: str
    lives: int = 0
    life: Life | None = None


@dataclass(frozen=True)
class Watch:
    """Who wants to know what happens; see `simulation.invariants`."""

    committed: Callable[[Mapping[str, Table]], None]
    arrived: Callable[[VenueServer, Order, str], None]
    unexpected: Callable[[str, BaseException], None]


class World:
    """Everything that there is in one run."""

    def __init__(self, plan: Plan, loop: VirtualLoop, show: Callable[[str], None] | None) -> None:
        self.plan = plan
        self.loop = loop
        self.clock = VirtualClock(loop, plan.speed)
        self.settings = load(TradingSettings, plan.environment)
        self.counts: Counter[str] = Counter()
        self.troubled_until = 0.0
        """Real seconds until which something may be away or late."""
        self.digest = hashlib.sha256()
        self._show = show
        self._outside: Context = copy_context()
        self._traps = list(plan.traps)
        self._trap_counts: Counter[str] = Counter()
        keep_tasks(loop)
        self.database = open_memory_database(loop)
        self.bus = MemoryJetStream(loop, self._random("bus-order"), Disorder(plan.disorder, plan.disorder / 5))
        self.lines = {
            "database": Line(loop, self._random("database"), plan.database_seconds),
            "bus": Line(loop, self._random("bus"), BUS_SECONDS),
            **{name: Line(loop, self._random(f"line-{name}"), plan.venue_seconds, cut=0.5) for name, _ in plan.venues},
        }
        self.venues = self._open_venues()
        names = [*(f"executor-{number}" for number in range(1, plan.executors + 1)), "signal_ingest-1"]
        self.processes = {name: Process(name, name.rsplit("-", 1)[0]) for name in (*names, "position_monitor-1")}
        self._asked = 0
        self.flattens: dict[str, FlattenRequested] = {}
        """What operators asked for, by the wish's id."""

    def _random(self, what: str) -> Random:
        return Random(f"{what}-{self.plan.seed}")

    def _open_venues(self) -> dict[str, VenueServer]:
        plan, random = self.plan, self._random("market")
        paths = walks(random, plan.symbols, [name for name, _ in plan.venues], plan.minutes)
        opened = {}
        for name, protocol in plan.venues:
            rates = {symbol: Decimal(random.choice(("0.0001", "0.00005", "-0.0001"))) for symbol in plan.symbols}
            of_venue = {symbol: paths[symbol, name] for symbol in plan.symbols}
            table = scenario(protocol, of_venue, rates, plan.balance_usdt, plan.steps)
            venue, _ = open_venue(name, table, self.clock, Credentials("key", "secret"))
            opened[name] = VenueServer(venue, self.clock, plan.takes_ids_again)
        return opened

    def trace(self, text: str) -> None:
        """Part of what makes one run the same as another."""
        line = f"{self.loop.time():10.4f} {text}"
        self.digest.update(line.encode())
        if self._show is not None:
            self._show(line)

    def watch(self, watch: Watch) -> None:
        """Has the run observed from here on."""
        self._unexpected = watch.unexpected
        self.database.committed += [watch.committed, self._committed]
        for server in self.venues.values():
            server.arrived += [self._arrived, watch.arrived]

    # Processes

    def start(self, process: Process) -> None:
        """A new life, from nothing but what the servers hold."""
        process.lives += 1
        life = process.life = Life(name=f"{process.name}.{process.lives}")
        task = begin(self.loop, life, SERVICES[process.service](self._surroundings(life)))
        task.add_done_callback(lambda done: self._ended(process, life, done), context=self._outside)
        self.trace(f"start {life.name}")

    def kill(self, process: Process, restart_after_seconds: float, why: str = "crash") -> None:
        """Ends the process at this very step and starts it again later."""
        life = process.life
        if life is None:
            return
        self.trace(f"{why} {life.name}")
        process.life = None
        if life.standing:
            self.loop.go_on(life)
        life.die(self._random(f"death-{life.name}"))
        self._later(restart_after_seconds, lambda: self.start(process))
        self._trouble_for(restart_after_seconds)

    def pause(self, process: Process, seconds: float) -> None:
        """Lets no step of it run for so long."""
        life = process.life
        if life is None or life.standing:
            return
        self.trace(f"pause {life.name} for {seconds:.3f}")
        self.counts[f"pause {process.service}"] += 1
        self.loop.stand(life)
        self._trouble_for(seconds)

        def go_on() -> None:
            if life.standing:
                self.trace(f"wake {life.name}")
                self.loop.go_on(life)

        self._later(seconds, go_on)

    async def end(self) -> None:
        """Ends every process for good."""
        for process in self.processes.values():
            life, process.life = process.life, None
            if life is not None:
                if life.standing:
                    self.loop.go_on(life)
                life.die(self._random("end"))
                await life.ended()

    def _surroundings(self, life: Life) -> Surroundings:
        return Surroundings(
            life=life,
            clock=self.clock,
            random=self._random(f"life-{life.name}"),
            pool=MemoryPool(self.database, life, self.lines["database"]),
            nats=MemoryNats(self.bus, life, self.lines["bus"]),
            venues={
                name: VirtualVenue(server, life, self.lines[name], self.clock) for name, server in self.venues.items()
            },
            settings=self.settings,
            rails=RAILS if self.plan.with_rails else NO_RAILS,
            handler_failed=self._handler_failed,
        )

    def _ended(self, process: Process, life: Life, done: asyncio.Task[None]) -> None:
        if process.life is not life or done.cancelled():
            return
        error = done.exception()
        if not _is_passing(error):
            self._unexpected(f"{life.name} ended", error or AssertionError("it just ended"))
        self.counts[f"ended by {type(error).__name__}"] += 1
        self.kill(process, RESTART_AFTER_FAILURE_SECONDS, f"ended by {error!r}:")

    def _handler_failed(self, subject: str, error: BaseException) -> None:
        self.counts[f"handler failed: {type(error).__name__}"] += 1
        self.trace(f"handler of {subject} failed: {type(error).__name__}")
        if not _is_passing(error) and not isinstance(error, TryLater):
            self._unexpected(f"handler of {subject}", error)

    # Troubles

    def schedule(self) -> None:
        """Puts the plan's troubles in line."""
        for trouble in self.plan.troubles:
            self._later(trouble.at_seconds, partial(self._strike, trouble))

    def calm(self) -> None:
        """Nothing goes wrong any more: everything answers, everything runs, trading is active."""
        self._traps.clear()
        for line in self.lines.values():
            line.calm()
        for server in self.venues.values():
            server.end_faults()
            server.clock_offset_seconds = 0.0
        for process in self.processes.values():
            if process.life is not None and process.life.standing:
                self.loop.go_on(process.life)
        self.ask_state("active")
        self.trace("calm")

    def ask_state(self, state: Any) -> None:
        """What the operator's command does: a request on the bus."""
        request = TradingStateRequested(state=state, requested_by="operator:simulation", why="simulation")
        self._tell(TRADING_STATE_REQUESTED, request)

    def ask_close(self) -> None:
        """Asks for the close of every open trade."""
        for row in self.rows("live_trade_signal", status="open"):
            request = CloseRequested(
                signal_id=row["id"], reason="operator", requested_by="operator:simulation", evidence={}
            )
            self._tell(CLOSE_REQUESTED, request)

    def ask_flatten(self, venue: str, symbol: str, *, include_unowned: bool) -> None:
        """Asks for the venue to hold nothing of the symbol."""
        request = FlattenRequested(
            request_id=f"flatten-{venue}-{symbol}-{len(self.flattens) + 1}",
            venue=venue,
            symbol=symbol,
            include_unowned=include_unowned,
            requested_by="operator:simulation",
            why="simulation",
        )
        self.flattens[request.request_id] = request
        self._tell(FLATTEN_REQUESTED, request)

    def ask_all_flat(self) -> None:
        """Asks for every venue to hold nothing of any symbol, whoever opened it."""
        for venue in self.venues:
            for symbol in self.plan.symbols:
                self.ask_flatten(venue, symbol, include_unowned=True)

    def rows(self, table: str, **values: Any) -> list[Row]:
        """Committed rows."""
        found = self.database.tables[table].values()
        return [row for row in found if all(row[name] == value for name, value in values.items())]

    def _tell(self, subject: str, message: Message) -> None:
        self._asked += 1
        id_ = f"operator-{self._asked}"
        payload = message.model_dump(mode="json")
        envelope = Envelope(id=id_, subject=subject, producer="simulation", sent_at=self.clock.now(), payload=payload)
        self.bus.store(subject, envelope.model_dump_json().encode(), {MESSAGE_ID: id_})

    def _strike(self, trouble: Trouble) -> None:
        self.trace(f"trouble {trouble.kind} {trouble.target} {trouble.seconds:.3f} {trouble.share}")
        self.counts[f"trouble {trouble.kind}"] += 1
        target = trouble.target
        match trouble.kind:
            case "crash":
                self.counts[f"crash {self.processes[target].service}"] += 1
                self.kill(self.processes[target], trouble.seconds)
            case "pause":
                self.pause(self.processes[target], trouble.seconds)
            case "down" | "lossy" | "late" | "late_orders":
                self._trouble_line(trouble)
            case "state":
                self.ask_state(target)
            case "force_close":
                self.ask_close()
            case "flatten" | "flatten_unowned":
                self.ask_flatten(*target.split(":"), include_unowned=trouble.kind == "flatten_unowned")
            case "external_close" | "external_open" | "external_turn" | "liquidate" | "deleverage":
                self._intervene(trouble)
            case "change_rules":
                self._change_rules(trouble)
            case "clock_offset":
                self._shift_clock(trouble)
            case _:
                assert trouble.fault is not None
                server = self.venues[target]
                server.venue.faults.arm(trouble.fault, server.venue.moment())
                self._trouble_for(trouble.seconds + 10)

    def _trouble_line(self, trouble: Trouble) -> None:
        line = self.lines[trouble.target]
        self._trouble_for(trouble.seconds)
        if trouble.kind == "down":
            line.go_down(trouble.seconds)
            return
        trouble_of = {"lossy": "loss", "late": "slow", "late_orders": "slow_orders"}[trouble.kind]
        setattr(line, trouble_of, trouble.share)
        self._later(trouble.seconds, lambda: setattr(line, trouble_of, 0.0))

    def _intervene(self, trouble: Trouble) -> None:
        """Somebody trades by hand, or the venue does. A turn sells (buys) more than the account is long (short)."""
        name, symbol = trouble.target.split(":")
        venue = self.venues[name].venue
        held, step = venue.account.position(symbol).quantity, self.plan.steps[symbol]
        table: dict[str, Any] = {"kind": trouble.kind, "symbol": symbol}
        if trouble.kind in ("external_open", "external_turn"):
            against = trouble.kind == "external_turn"
            table["kind"], table["side"] = "external_open", "buy" if (held > 0) != against else "sell"
            table["quantity"] = step * 3 + (abs(held) if against else 0)
        elif trouble.share < 1 and abs(held) > step * 2:
            table["quantity"] = (abs(held) * Decimal(str(trouble.share)) / step).to_integral_value() * step
        try:
            venue.intervene(Intervention.model_validate(table))
        except Refusal as refusal:
            self.trace(f"nothing to intervene in: {refusal.reason}")
        else:
            self.counts[
                f"intervened {trouble.kind}{' of an entry in flight' if self._is_in_flight(symbol) else ''}"
            ] += 1

    def _change_rules(self, trouble: Trouble) -> None:
        """The contract's lot and its smallest order become so many times as large."""
        name, symbol = trouble.target.split(":")
        lot = self.plan.steps[symbol] * Decimal(str(trouble.share))
        table = {"kind": "change_rules", "symbol": symbol, "quantity_step": lot, "quantity_min": lot}
        self.venues[name].venue.intervene(Intervention.model_validate(table))

    def _shift_clock(self, trouble: Trouble) -> None:
        server = self.venues[trouble.target]
        server.clock_offset_seconds = trouble.share
        self._trouble_for(trouble.seconds)
        self._later(trouble.seconds, lambda: setattr(server, "clock_offset_seconds", 0.0))

    def _is_in_flight(self, symbol: str) -> bool:
        entries = self.rows("live_trade_entry", status="opening")
        signals = self.database.tables["live_trade_signal"]
        return any(signals[entry["signal_id"]]["symbol"] == symbol for entry in entries)

    def _trouble_for(self, seconds: float) -> None:
        self.troubled_until = max(self.troubled_until, self.loop.time() + seconds)

    # Traps

    def _arrived(self, server: VenueServer, order: Order, client_order_id: str) -> None:
        kind = f"{order.side} {order.quantity} {order.symbol}{' reduce-only' if order.reduce_only else ''}"
        self.trace(f"order {server.name} {client_order_id} {kind}: {order.status} {order.filled}")
        keys = self.rows("live_trade_signal", order_key=order_key_of(client_order_id))
        self._spring("order_arrived", keys[0]["lease_owner"] if keys else None)

    def _committed(self, written: Mapping[str, Table]) -> None:
        for table, rows in written.items():
            for row in rows.values():
                self._tell_of(table, row)
        if "live_trade_order" in written:
            orders = list(written["live_trade_order"].values())
            owner = self.database.tables["live_trade_signal"][orders[0]["signal_id"]]["lease_owner"]
            self._spring("intent" if any(order["status"] == "intent" for order in orders) else "outcome", owner)
        self._spring("commit", None)

    def _tell_of(self, table: str, row: Row) -> None:
        if table == "audit":
            self.counts[f"decided {row['decision']}"] += 1
        told = told_of(table, row)
        if told is not None:
            self.trace(told)

    def _spring(self, on: str, owner: str | None) -> None:
        self._trap_counts[on] += 1
        for trap in [trap for trap in self._traps if trap.on == on and trap.nth == self._trap_counts[on]]:
            self._traps.remove(trap)
            self._later(trap.after_seconds, partial(self._caught, trap, self._whose(owner)))

    def _caught(self, trap: Trap, process: Process) -> None:
        self.counts[f"trap {trap.kind} on {trap.on}"] += 1
        if trap.kind == "crash":
            self.counts[f"crash {process.service}"] += 1
            self.kill(process, trap.seconds)
        else:
            self.pause(process, trap.seconds)

    def _whose(self, owner: str | None) -> Process:
        """The process with that lease; the first executor where nobody has one."""
        for process in self.processes.values():
            if process.life is not None and process.life.name == owner:
                return process
        return self.processes["executor-1"]

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        self.loop.call_later(seconds, work, context=self._outside)


def _is_passing(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_passing(inner) for inner in error.exceptions)
    return isinstance(error, PASSING_ERRORS)
