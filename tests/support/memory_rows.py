"""What the functions behind the statements have in common."""

from collections.abc import Iterable
from typing import Any

import orjson

from common.persistence.database import encode_json
from support.memory_postgres import Row


def stored_json(value: Any) -> Any:
    """What a jsonb column gives back of `value`."""
    return None if value is None else orjson.loads(encode_json(value))


def columns(text: str) -> tuple[str, ...]:
    """The names in a list of columns as it stands in a statement."""
    return tuple(name.strip() for name in text.split(","))


def picked(row: Row, names: Iterable[str]) -> Row:
    """Those columns of a row."""
    return {name: row[name] for name in names}


def one(row: Row | None, *names: str) -> list[Row]:
    """The answer of a statement that returns one row or none; all columns where no name is given."""
    if row is None:
        return []
    return [picked(row, names) if names else row]
