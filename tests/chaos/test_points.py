"""No case holds without its kill: a misspelt point is found before a process starts, one not reached fails its case."""

import importlib
import inspect
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chaos import cases, crashing
from chaos.campaign import killing_cases, paper_cases, proxy_cases
from chaos.crashing import End
from chaos.house import House
from chaos.points import EXECUTOR, SEND, WATCHED, Point, Side, Stage, Target

TARGETS = sorted({point.target for point in WATCHED}, key=lambda target: target.name)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_point_is_a_method_that_can_be_awaited(target: Target) -> None:
    class_name, method = target.method.split(".")
    owner = getattr(importlib.import_module(target.module), class_name)
    assert inspect.iscoroutinefunction(getattr(owner, method))


def test_no_two_points_watch_the_same_calls_under_different_names() -> None:
    """Only one of them would ever be reached."""
    watched = Counter((target.module, target.method, target.only) for target in TARGETS)
    assert [calls for calls, times in watched.items() if times > 1] == []
    assert len({target.name for target in TARGETS}) == len(TARGETS)


def test_every_case_has_a_name_of_its_own() -> None:
    names = Counter(case.name for case in (*killing_cases(), *proxy_cases(), *paper_cases()))
    assert [name for name, times in names.items() if times > 1] == []


def _armed(symbol: str = "X1", trade: int | None = 7) -> crashing.Armed:
    return crashing.Armed("a call", Side.BEFORE, 1, symbol, End.DIES, trade)


@pytest.mark.parametrize(
    ("only", "about_it", "about_another"),
    [
        ("symbol", ("X1", 2), ("X10", 2)),
        ("symbol", (SimpleNamespace(intent=SimpleNamespace(symbol="X1")),), (SimpleNamespace(symbol="X10"),)),
        ("symbol", (SimpleNamespace(skipped=SimpleNamespace(symbol="X1")), "why"), (SimpleNamespace(trade=None),)),
        ("trade", (7,), (8,)),
        ("working", (SimpleNamespace(_working={7}),), (SimpleNamespace(_working=set()),)),
        ("sample", (SimpleNamespace(symbol="X1"), None, None), (SimpleNamespace(symbol="X1"), "a wish", None)),
        ("wish", (SimpleNamespace(symbol="X1"), "a wish", None), (SimpleNamespace(symbol="X1"), None, None)),
        ("held", ("bybit", {"X1": 1}), ("bybit", {"X10": 1})),
        ("claimed", ([SimpleNamespace(alert=SimpleNamespace(text="X1 opened"))],), ([],)),
        ("trade.changed", ("trade.changed", b"X1", "id"), ("trade.changed", b"X2", "id")),
        ("trade.", ("trade.close.requested", b"7", "id"), ("signal.retry.due", b"X1", "id")),
    ],
)
def test_only_the_calls_that_a_point_means_count(
    only: str, about_it: tuple[Any, ...], about_another: tuple[Any, ...]
) -> None:
    assert crashing.counts(only, _armed(), about_it)
    assert not crashing.counts(only, _armed(), about_another)


class _Still(House):
    """A house without a stack; `posted` is all that happens in it."""

    def __init__(self, directory: Path, exit_code: int, posted: Callable[[], object]) -> None:
        async def wait() -> int:
            return exit_code

        parts = SimpleNamespace(child=lambda _name: SimpleNamespace(wait=wait))
        stack: Any = SimpleNamespace(venues=[SimpleNamespace(name=name) for name in ("binance", "bybit")], parts=parts)
        http: Any = None
        super().__init__(stack, http, directory, {})
        self._posted = posted

    async def post_observation(self, symbol: str) -> None:
        self._posted()

    async def revive(self) -> None:
        return


async def test_a_case_whose_point_is_never_passed_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "REACHED_WITHIN_SECONDS", 0.05)
    still = _Still(tmp_path, -9, lambda: None)
    result = await cases.crash(still, Point(EXECUTOR, SEND, Side.SENT, Stage.OPENING), "X")
    assert result.failures == ["not within 0.05 s: the point is reached"]


async def test_a_case_whose_service_was_not_killed_fails(tmp_path: Path) -> None:
    still = _Still(tmp_path, 1, (tmp_path / f"{EXECUTOR}.reached").touch)
    result = await cases.crash(still, Point(EXECUTOR, SEND, Side.SENT, Stage.OPENING), "X")
    assert result.failures == ["executor ended with 1, not by kill -9"]
