"""Answers that say when nothing changed: who polls with `If-None-Match` gets 304 instead of the same again."""

import hashlib
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "As the ETag in If-None-Match says it was"}}
"""For OpenAPI."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer as it goes out, and its ETag."""

    body: bytes
    tag: str


def render(answer: BaseModel, *, but: set[str] | None = None) -> Rendered:
    """The answer as JSON; the fields in `but`, which always change, do not count for the tag."""
    body = answer.model_dump_json().encode()
    counted = body if but is None else answer.model_dump_json(exclude=but).encode()
    return Rendered(body, f'W/"{hashlib.sha256(counted).hexdigest()[:32]}"')


def conditional(request: Request, answer: BaseModel | Rendered) -> Response:
    """The answer with its ETag, or 304 where the caller has it already."""
    shown = answer if isinstance(answer, Rendered) else render(answer)
    headers = {"ETag": shown.tag}
    if _matches(request.headers.get("if-none-match", ""), shown.tag):
        return Response(status_code=304, headers=headers)
    return Response(shown.body, headers=headers, media_type="application/json")


def _matches(header: str, tag: str) -> bool:
    """Weakly, as RFC 9110 has it for this header."""
    wanted = [entry.strip().removeprefix("W/") for entry in header.split(",")]
    return "*" in wanted or tag.removeprefix("W/") in wanted
