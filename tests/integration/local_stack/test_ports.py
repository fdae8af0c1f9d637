"""A taken port is said in one sentence before anything starts."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.ports import LOOPBACK, Ports, PortTaken, claim
from local_stack.stack import LocalStack, StackPlan
from support.embedded_stack import quiet_screen


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()[1]


def test_the_sentence_names_the_port_what_wanted_it_and_who_holds_it(taken_port: int) -> None:
    with pytest.raises(PortTaken) as refusal:
        claim({"NATS": taken_port})
    assert f"Port {taken_port} on 127.0.0.1, wanted by NATS" in str(refusal.value)
    assert f"held by process {os.getpid()} (" in str(refusal.value)


def test_a_listener_on_every_address_takes_the_port_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener, pytest.raises(PortTaken):
        claim({"NATS": listener.getsockname()[1]})


def test_a_port_wanted_twice_is_refused() -> None:
    port = claim({"one": 0})["one"]
    with pytest.raises(PortTaken, match="wanted twice"):
        claim({"one": port, "other": port})


def test_free_ports_are_distinct() -> None:
    claimed = claim(dict.fromkeys(map(str, range(20)), 0))
    assert len(set(claimed.values())) == 20


async def test_a_run_that_cannot_have_its_ports_leaves_no_trace(taken_port: int, tmp_path: Path) -> None:
    var = tmp_path / "var"
    plan = StackPlan(nats=False, ports=Ports(postgres=taken_port), var=var)
    with pytest.raises(PortTaken, match="wanted by PostgreSQL"):
        async with LocalStack(plan, quiet_screen()):
            pass
    assert not var.exists()
