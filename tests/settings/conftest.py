"""Stacks of real services, one a module: the tests of a module share the settings that it names."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from local_stack.stack import LocalStack
from support.service_group import ServiceGroup, service_group


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def group(
    request: pytest.FixtureRequest,
    postgres_server: LocalStack,
    nats_server: LocalStack,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServiceGroup]:
    """The module's SERVICES with its SETTINGS, at its SPEED."""
    module = request.module
    directory: Path = tmp_path_factory.mktemp(module.__name__.rsplit(".", 1)[-1])
    running = service_group(
        postgres_server, nats_server, directory, module.SERVICES, speed=module.SPEED, settings=module.SETTINGS
    )
    async with running as started:
        yield started
