"""A taken port is said in one sentence before anything starts."""

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from local_stack import ports as port_choice
from local_stack.ports import LOOPBACK, Ports, PortTaken, claimed
from local_stack.stack import LocalStack, StackPlan
from support.embedded_stack import quiet_screen


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()[1]


def test_the_sentence_names_the_port_what_wanted_it_and_who_holds_it(taken_port: int) -> None:
    with pytest.raises(PortTaken) as refusal:
        _claim({"NATS": taken_port})
    assert f"Port {taken_port} on 127.0.0.1, wanted by NATS" in str(refusal.value)
    assert f"held by process {os.getpid()} (" in str(refusal.value)


def test_a_listener_on_every_address_takes_the_port_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener, pytest.raises(PortTaken):
        _claim({"NATS": listener.getsockname()[1]})


def test_a_port_wanted_twice_is_refused() -> None:
    with claimed({"one": 0}) as ports, pytest.raises(PortTaken, match="wanted twice"):
        _claim({"one": ports["one"], "other": ports["one"]})


def test_free_ports_are_distinct() -> None:
    with claimed(dict.fromkeys(map(str, range(20)), 0)) as ports:
        assert len(set(ports.values())) == 20


def test_a_chosen_port_is_nobody_elses_until_its_listener_is_there_and_when_that_starts_again() -> None:
    with claimed({"NATS": 0}) as ports:
        for _ in range(2):
            assert not _can_be_chosen(ports["NATS"])
            with socket.create_server((LOOPBACK, ports["NATS"])):
                assert not _can_be_chosen(ports["NATS"])
    assert _can_be_chosen(ports["NATS"])


def _can_be_chosen(port: int) -> bool:
    """Whether another process that looks for a free port would find this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(port_choice, "FREE_PORTS", range(port, port + 1))
        try:
            _claim({"other": 0})
        except PortTaken:
            return False
        return True


def _claim(wanted: Mapping[str, int]) -> None:
    with claimed(wanted):
        pass


async def test_a_run_that_cannot_have_its_ports_leaves_no_trace(taken_port: int, tmp_path: Path) -> None:
    var = tmp_path / "var"
    plan = StackPlan(nats=False, ports=Ports(postgres=taken_port), var=var)
    with pytest.raises(PortTaken, match="wanted by PostgreSQL"):
        async with LocalStack(plan, quiet_screen()):
            pass
    assert not var.exists()
