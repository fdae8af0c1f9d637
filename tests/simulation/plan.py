"""What a seed stands for: the market, the settings, and everything that will go wrong, decided before the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from venue_sim.faults import FaultSpec

SYMBOLS = ("SOL", "ETH", "DOGE", "LINK")
VENUES = (("binance", "binance"), ("bybit", "bybit"), ("okx", "bybit"))
"""(name, protocol): the third one speaks the second one's."""

PROFILES = ("calm", "venues", "crashes", "pauses", "database", "bus", "outside", "operator", "everything")
"""Which kinds of trouble a run has; `everything` is the most frequent."""

WARM_UP_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that happens at a moment (real seconds): `kind` names what, `target` to whom."""

    at_seconds: float
    kind: str
    target: str = ""
    seconds: float = 0.0
    share: float = 0.0
    fault: FaultSpec | None = None


@dataclass(frozen=True, slots=True)
class Trap:
    """A crash or a pause of whoever does something for the n-th time, a moment later."""

    kind: str
    on: str
    nth: int
    after_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    seed: int
    profile: str
    speed: float
    seconds: float
    venues: Sequence[tuple[str, str]]
    symbols: Sequence[str]
    executors: int
    environment: dict[str, str]
    balance_usdt: Decimal
    steps: dict[str, Decimal]
    database_seconds: float
    venue_seconds: float
    disorder: float
    takes_ids_again: bool
    with_rails: bool
    troubles: Sequence[Trouble]
    traps: Sequence[Trap]

    @property
    def minutes(self) -> int:
        """Market minutes until the troubles end."""
        return int(self.seconds * self.speed / 60) + 1


def plan(seed: int) -> Plan:
    """The plan of a seed; a pure function of it."""
    random = Random(f"plan-{seed}")
    profile = random.choice((*PROFILES, "everything", "everything", "everything"))
    seconds = random.uniform(30, 60)
    venues = VENUES[: random.choice((2, 2, 3))]
    symbols = SYMBOLS[: random.choice((1, 2, 2, 3))]
    executors = random.choice((1, 1, 2)) if profile != "pauses" else 2
    return Plan(
        seed=seed,
        profile=profile,
        speed=random.choice((60.0, 60.0, 120.0)),
        seconds=seconds,
        venues=venues,
        symbols=symbols,
        executors=executors,
        environment=_environment(random, [name for name, _ in venues]),
        balance_usdt=Decimal(random.choice((10_000, 10_000, 10_000, 900))),
        steps={symbol: Decimal(random.choice(("0.01", "0.1", "0.1", "1"))) for symbol in symbols},
        database_seconds=random.choice((0.0005, 0.0005, 0.005, 0.02)),
        venue_seconds=random.choice((0.003, 0.02, 0.08)),
        disorder=0.0 if profile == "calm" else random.choice((0.0, 0.05, 0.3)),
        takes_ids_again=random.random() < 0.5,
        with_rails=profile in ("operator", "everything") and random.random() < 0.2,
        troubles=_troubles(random, profile, seconds, [name for name, _ in venues], symbols, executors),
        traps=_traps(random, profile),
    )


def _environment(random: Random, venues: Sequence[str]) -> dict[str, str]:
    chosen: dict[str, Any] = {
        "LIVE_TRADING_MODE": "live",
        "LIVE_TRADING_CONFIRM_LIVE": "yes",
        "LIVE_TRADING_ALLOWED_EXCHANGES": ",".join(venues),
        "LIVE_TRADING_PNL_THRESHOLD": "0.004",
        "LIVE_TRADING_WIN_PROB_THRESHOLD": "0.5",
        "LIVE_TRADING_MAX_CONCURRENT": random.choice((1, 2, 10)),
        "LIVE_TRADING_PER_LEG_USDT": random.choice((300, 1000)),
        "LIVE_TRADING_OB_CONFIRM_SAMPLES": random.choice((1, 2, 2, 3)),
        "LIVE_TRADING_OB_CONFIRM_SLEEP_SEC": "0.1",
        "LIVE_TRADING_MONITOR_SEC": random.choice((30, 60)),
        "LIVE_TRADING_MAX_HOLD_DAYS": random.choice((7, 7, 7, 0.02)),
        "LIVE_TRADING_CLOSE_RETRY_COOLDOWN_SEC": random.choice((30, 120)),
        "LIVE_TRADING_SCALE_IN_ENABLED": random.choice((1, 1, 1, 0)),
        "LIVE_TRADING_SCALE_IN_MAX_ENTRIES": random.choice((2, 3, 4)),
        "LIVE_TRADING_SCALE_IN_TRIGGER_MULT": random.choice((1.2, 1.5)),
        "LIVE_TRADING_SCALE_IN_MIN_INTERVAL_MIN": random.choice((0, 1, 5)),
        "LIVE_TRADING_SCALE_IN_MAX_TOTAL_NOTIONAL": random.choice((0, 0, 2100)),
        "WATCHLIST_TYPEB_SPREAD": "0.008",
        "WATCHLIST_TYPEB_FUNDING_FILTER_MODE": random.choice(("off", "net_cost")),
        "WATCHLIST_EVENT_MERGE": random.choice((1, 1, 1, 0)),
        "WATCHLIST_CONSECUTIVE": random.choice((1, 2)),
    }
    return {name: str(value) for name, value in chosen.items()}


def _has(profile: str, kind: str) -> bool:
    return profile in (kind, "everything")


def _troubles(
    random: Random, profile: str, seconds: float, venues: Sequence[str], symbols: Sequence[str], executors: int
) -> list[Trouble]:
    def moment() -> float:
        return random.uniform(WARM_UP_SECONDS, seconds)

    found: list[Trouble] = []
    if _has(profile, "venues"):
        found += [
            _venue_trouble(random, moment(), random.choice(venues), random.choice(symbols))
            for _ in range(random.randint(3, 8))
        ]
    processes = [f"executor-{number}" for number in range(1, executors + 1)]
    if _has(profile, "crashes"):
        for _ in range(random.randint(1, 5)):
            who = random.choice((*processes, *processes, "signal_ingest-1", "position_monitor-1"))
            found.append(Trouble(moment(), "crash", who, random.uniform(0.1, 4)))
    if _has(profile, "pauses"):
        for _ in range(random.randint(1, 3)):
            who = random.choice((*processes, *processes, "signal_ingest-1", "position_monitor-1"))
            found.append(Trouble(moment(), "pause", who, random.uniform(0.5, 40)))
    for server in ("database", "bus"):
        if _has(profile, server):
            found += [_server_trouble(random, moment(), server) for _ in range(random.randint(1, 3))]
    if _has(profile, "outside"):
        for _ in range(random.randint(1, 3)):
            kind = random.choice(_OUTSIDE)
            where = f"{random.choice(venues)}:{random.choice(symbols)}"
            found.append(Trouble(moment(), kind, where, share=random.choice((1.0, 1.0, 0.4))))
    if _has(profile, "operator"):
        found += _operator(random, moment(), seconds)
    if _has(profile, "operator") or _has(profile, "outside"):
        where = f"{random.choice(venues)}:{random.choice(symbols)}"
        found += _flattens(random, moment(), where)
    return sorted(found, key=lambda trouble: (trouble.at_seconds, trouble.kind, trouble.target))


_OUTSIDE = ("external_close", "external_close", "liquidate", "deleverage", "external_open", "external_turn")


def _server_trouble(random: Random, at: float, server: str) -> Trouble:
    kind = random.choice(("down", "lossy", "late"))
    share = random.choice((0.01, 0.05, 0.2))
    return Trouble(at, kind, server, random.uniform(1, 6) if kind == "down" else random.uniform(3, 15), share)


_LATE_ORDERS = ("late_orders",) * 4
"""Frequent, because what a late order does depends on when it comes: before or after somebody gave it up."""


def _venue_trouble(random: Random, at: float, venue: str, symbol: str) -> Trouble:
    kind = random.choice((*_FAULTS, "down", "lossy", "late", *_LATE_ORDERS, "change_rules", "clock_offset"))
    seconds = random.uniform(2, 20)
    if kind == "change_rules":
        return Trouble(at, kind, f"{venue}:{symbol}", share=random.choice((0.1, 2.0)))
    if kind == "clock_offset":
        return Trouble(at, kind, venue, seconds, random.uniform(-0.9, 2.5))
    if kind == "late_orders":
        return Trouble(at, kind, venue, seconds * 2, random.choice((0.3, 0.6)))
    if kind in ("down", "lossy", "late"):
        return Trouble(at, kind, venue, min(seconds, 8), random.choice((0.05, 0.3, 0.6)))
    table: dict[str, Any] = {"kind": kind, "seed": random.getrandbits(32)}
    table |= {name: value(random) if callable(value) else value for name, value in _FAULTS[kind].items()}
    if "for_seconds" not in table:
        limit = {"for_seconds": seconds} if random.random() < 0.3 else {"times": random.randint(1, 4)}
        table |= {"probability": random.choice((0.3, 0.6, 1.0)), **limit}
    if random.random() < 0.3:
        table["symbol"] = symbol
    return Trouble(at, kind, venue, seconds, fault=FaultSpec.model_validate(table))


def _seconds(random: Random) -> float:
    return random.uniform(0.2, 8)


def _flip(random: Random) -> bool:
    return random.random() < 0.5


def _endpoint(random: Random) -> str:
    return random.choice(("order.create", "order.create", "order.query", "positions", "book", "fills", "any"))


_FAULTS: dict[str, dict[str, Any]] = {
    "reject": {"reason": lambda random: random.choice(("margin", "generic", "reduce_only"))},
    "timeout": {"accepted": _flip, "endpoint": _endpoint},
    "drop": {"accepted": _flip, "endpoint": _endpoint},
    "delay": {"seconds": _seconds, "endpoint": _endpoint},
    "server_error": {"accepted": _flip, "endpoint": _endpoint},
    "malformed": {"accepted": _flip, "endpoint": _endpoint},
    "ban": {"for_seconds": lambda random: random.uniform(1, 8)},
    "nonce": {"endpoint": _endpoint},
    "duplicate": {},
    "delayed_fill": {"seconds": _seconds},
    "partial_fill": {"share": lambda random: random.choice((Decimal(0), Decimal("0.3"), Decimal("0.7")))},
    "stuck": {
        "share": lambda random: random.choice((Decimal(0), Decimal("0.5"))),
        "cancel_fills": _flip,
    },
    "dust": {},
    "stale_book": {},
    "crossed_book": {},
    "empty_side": {"side": lambda random: random.choice(("bids", "asks", "both"))},
    "lag": {
        "seconds": lambda random: random.uniform(0.1, 3),
        "endpoint": lambda random: random.choice(("positions", "fills", "funding", "order.query")),
    },
}


def _operator(random: Random, at: float, seconds: float) -> list[Trouble]:
    what = random.choice(("halted", "reducing", "force_close"))
    if what == "force_close":
        return [Trouble(at, what)]
    return [Trouble(at, "state", what), Trouble(min(at + random.uniform(3, 20), seconds), "state", "active")]


def _flattens(random: Random, at: float, where: str) -> list[Trouble]:
    """An operator brings a venue and symbol to zero, or only Tandem's part; somebody may just have traded there."""
    kind = random.choice(("flatten", "flatten_unowned", "flatten_unowned"))
    found = [
        Trouble(at + random.choice((0.0, 0.0, 0.01, 2.0)), kind, where) for _ in range(random.choice((0, 1, 1, 2)))
    ]
    if _flip(random):
        found.append(Trouble(at - random.choice((-0.05, 0.05, 1.0, 3.0)), "external_open", where))
    return found


def _traps(random: Random, profile: str) -> list[Trap]:
    found = []
    for kind in ("crash", "pause"):
        if _has(profile, f"{kind}es" if kind == "crash" else f"{kind}s"):
            for _ in range(random.randint(1, 4)):
                on = random.choice(("order_arrived", "intent", "outcome", "commit"))
                nth = random.randint(1, 8 if on != "commit" else 60)
                seconds = random.uniform(0.1, 4) if kind == "crash" else random.choice((1.0, 4.0, 30.0, 35.0))
                found.append(Trap(kind, on, nth, random.choice((0.0, 0.001, 0.01, 0.1)), seconds))
    return found
