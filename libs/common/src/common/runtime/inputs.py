"""Types of what callers send over HTTP, shared by the services."""

import re
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field

ID_MAX = 2**53 - 1
"""Up to here a whole number in JSON means the same to every reader."""


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


RowId = Annotated[int, Field(ge=1, le=ID_MAX, strict=True), BeforeValidator(_whole)]
"""An id in a JSON body, where 7.0 is 7 too."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")


def _written_out(value: object) -> object:
    """pydantic would take any number for seconds since 1970, also one in quotes."""
    if not isinstance(value, str) or not _DATE.match(value):
        raise ValueError("RFC 3339 with an offset, as 2025-10-10T21:55:00Z")
    return value


Time = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written_out)]
"""RFC 3339 text with an offset."""
