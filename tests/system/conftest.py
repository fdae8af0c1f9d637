"""The stack with all four services, from a scenario of the demo."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from local_stack.demo import find_scenario
from local_stack.ports import Ports
from local_stack.services import SERVICES
from local_stack.stack import LocalStack, StackPlan
from support.embedded_stack import quiet_screen
from support.running_stack import RunningStack

OpenStack = Callable[[str], AbstractAsyncContextManager[RunningStack]]


@pytest.fixture
def open_stack(tmp_path: Path) -> OpenStack:
    """Starts everything for the scenario of a name; market time stands still until the test starts it."""

    @asynccontextmanager
    async def opened(scenario: str) -> AsyncIterator[RunningStack]:
        plan = StackPlan(
            scenario_path=find_scenario(scenario), services=SERVICES, ports=Ports.ephemeral(), var=tmp_path
        )
        async with (
            LocalStack(plan, quiet_screen()) as stack,
            httpx.AsyncClient(trust_env=False, timeout=60) as http,
        ):
            yield RunningStack(stack, http)

    return opened
