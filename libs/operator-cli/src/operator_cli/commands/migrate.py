"""`tandem migrate`: brings the database to a revision of its schema. The one command that does not ask the gateway.

Alembic and its drivers take a moment to import, so they are imported by the commands that need them.
"""

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, TypeVar

import typer

from operator_cli.exits import Refused, Unreachable, WrongUsage
from operator_cli.options import Yes, confirm
from operator_cli.printing import Page, show_json

BASE = "base"
HEAD = "head"
NO_SCHEMA = "no schema"

Answer = TypeVar("Answer")
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]

app = typer.Typer(
    help="Bring the database at DATABASE_URL (as its owner) to a revision of the schema.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def current(as_json: AsJson = False) -> None:
    """The revision that the database is at; ends with 1 when that is not the newest."""
    revision, newest = _revision(), _revisions()[-1]
    if as_json:
        show_json({"current": revision, "newest": newest})
    else:
        Page().say(f"{revision or NO_SCHEMA} (newest: {newest})")
    if revision != newest:
        raise Refused(f"The database is at {revision or NO_SCHEMA}, the newest revision is {newest}.")


@app.command()
def history(as_json: AsJson = False) -> None:
    """Every revision, oldest first; no database is asked."""
    from common.persistence import migrate

    revisions = migrate.history()
    if as_json:
        show_json([asdict(revision) for revision in revisions])
    else:
        Page().table(("revision", "what it does"), [(found.revision, found.summary) for found in revisions])


@app.command()
def upgrade(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="By default the newest.")] = HEAD,
    as_json: AsJson = False,
) -> None:
    """Bring the database forward, by default to the newest revision; nothing to do is fine."""
    from common.persistence import migrate

    _known(revision, (*_revisions(), HEAD))
    if revision == HEAD:
        _move(migrate.bring_to_newest, as_json=as_json)
    else:
        _move(lambda dsn: migrate.upgrade(dsn, revision), as_json=as_json)


@app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help=f"Or {BASE!r}, before the first.")],
    destroy_data: Annotated[bool, typer.Option("--destroy-data", help="Also where data is lost for good.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take the database back; asks for a typed confirmation. Refused where data would be lost, see --destroy-data."""
    from common.persistence import migrate

    def go_back(dsn: str) -> None:
        try:
            migrate.downgrade(dsn, revision, may_lose_data=destroy_data)
        except migrate.DataWouldBeLost as loss:
            raise Refused(f"{' '.join(str(loss).split())}; --destroy-data does it all the same.") from loss

    _known(revision, (*_revisions(), BASE))
    if not yes:
        confirm(
            "downgrade", f"Going back from {_revision() or NO_SCHEMA} to {revision} loses what only later ones store"
        )
    _move(go_back, as_json=as_json)


def _move(step: Callable[[str], None], *, as_json: bool) -> None:
    before = _revision()
    _ask(step)
    after = _revision()
    if as_json:
        show_json({"before": before, "after": after})
    else:
        Page().say(f"The database is at {after or NO_SCHEMA} (before: {before or NO_SCHEMA}).")


def _known(revision: str, allowed: tuple[str, ...]) -> None:
    if revision not in allowed:
        raise typer.BadParameter(f"{revision!r}: allowed is one of {', '.join(allowed)}", param_hint="'REVISION'")


def _revisions() -> list[str]:
    from common.persistence import migrate

    return [found.revision for found in migrate.history()]


def _revision() -> str | None:
    from common.persistence import migrate

    return _ask(migrate.current)


def _ask(work: Callable[[str], Answer]) -> Answer:
    """What `work` gives of the database at DATABASE_URL; its failures never show the address."""
    import asyncpg
    from sqlalchemy.exc import DBAPIError

    from common.persistence.owner import owner_dsn
    from common.runtime.settings import SettingsError

    try:
        return work(owner_dsn(os.environ))
    except SettingsError as error:
        raise WrongUsage(f"{error}.") from error
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError, OSError) as error:
        raise Unreachable(f"The database cannot be reached: {_first_line(error)}.") from error
    except asyncpg.PostgresError as error:
        raise Refused(f"The database refused: {_first_line(error)}.") from error
    except DBAPIError as error:
        raise Refused(f"The database refused: {_first_line(error.orig or error)}.") from error


def _first_line(error: BaseException) -> str:
    """The driver's own words, without the statement that an ORM adds."""
    return (str(error) or type(error).__name__).splitlines()[0]
