"""The services' passwords are read from their own addresses, and an address of somebody else is refused unshown."""

import pytest

from common.persistence.logins import ROLE_OF_SERVICE, passwords_in
from common.persistence.migrate import main
from local_stack.services import SERVICES


def test_every_service_has_a_role() -> None:
    assert set(ROLE_OF_SERVICE) == set(SERVICES)


def test_a_password_is_decoded_and_a_service_without_an_address_keeps_its_own() -> None:
    address = "postgresql://tandem_executor:p%2Fa%23s@postgres:5432/tandem"
    assert passwords_in({"EXECUTOR_DATABASE_URL": address, "LOG_LEVEL": "info"}) == {"tandem_executor": "p/a#s"}


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://tandem:hidden-word@postgres/tandem",
        "postgresql://tandem_api_gateway:hidden-word@postgres/tandem",
        "mysql://tandem_executor:hidden-word@postgres/tandem",
        "postgresql://tandem_executor@postgres/tandem",
        "",
    ],
)
def test_an_address_of_another_role_or_without_a_password_stops_the_migrations(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main({"EXECUTOR_DATABASE_URL": address}) == 2
    told = capsys.readouterr().err
    assert "EXECUTOR_DATABASE_URL=(hidden): allowed is postgresql://tandem_executor:password@" in told
    assert "hidden-word" not in told
