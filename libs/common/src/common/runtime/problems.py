"""Errors over HTTP: `application/problem+json` (RFC 9457), naming the field, the value and what is allowed."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from common.persistence.database import DATABASE_AWAY

VALUE_CHARACTERS_MAX = 200
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "value", "allowed"],
                "properties": {"field": {"type": "string"}, "value": {}, "allowed": {"type": "string"}},
            },
        },
    },
    "example": {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "not accepted: query.limit",
        "errors": [{"field": "query.limit", "value": "0", "allowed": "Input should be greater than or equal to 1"}],
    },
}
PROBLEM_CONTENT: dict[str, Any] = {"application/problem+json": {"schema": _PROBLEM_SCHEMA}}
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Not answered as asked: the document says why", "content": PROBLEM_CONTENT},
    "5XX": {"description": "Not answered now: the document says what is away", "content": PROBLEM_CONTENT},
}
"""For OpenAPI: how every route says no."""


class Problem(Exception):
    """An answer that is not what was asked for. `errors` lists field, value and what is allowed."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[dict[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})


def problem_response(
    status: int, detail: str, errors: Sequence[dict[str, Any]] = (), headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A problem document with the status's own title."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        content["errors"] = list(errors)
    return JSONResponse(content, status, headers, media_type="application/problem+json")


def field_errors(details: Sequence[Any]) -> list[dict[str, Any]]:
    """pydantic's error details as field, value and what is allowed."""
    return [
        {
            "field": _utf8(".".join(str(part) for part in detail["loc"])),
            "value": _shorten(detail.get("input")),
            "allowed": detail["msg"].removeprefix("Value error, "),
        }
        for detail in details
    ]


def _shorten(value: object) -> object:
    """The value as JSON can carry it: what is no number in JSON, or no text in UTF-8, is shown all the same."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = _utf8(value if isinstance(value, str) else repr(value))
    return text if len(text) <= VALUE_CHARACTERS_MAX else text[:VALUE_CHARACTERS_MAX] + "..."


def _utf8(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


async def _on_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return problem_response(error.status, error.detail, error.errors, error.headers)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    response = problem_response(error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ", ".join(_allowed_methods(request))
    return response


def _allowed_methods(request: Request) -> list[str]:
    """Every method that the path has, on whichever of its routes."""
    routes = request.app.router.routes
    return [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]


async def _on_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    details = error.errors()
    if any(detail["type"] == "json_invalid" for detail in details):
        reason = details[0].get("ctx", {}).get("error", details[0]["msg"])
        return problem_response(400, f"the body is not JSON: {reason}", field_errors(details))
    errors = field_errors(details)
    names = ", ".join(str(item["field"]) for item in errors)
    return problem_response(422, f"not accepted: {names}", errors)


async def _on_database_away(_: Request, error: Exception) -> JSONResponse:
    return database_away(error)


def database_away(error: Exception) -> JSONResponse:
    """What is answered while the database cannot be asked."""
    return problem_response(503, f"the database does not answer now ({type(error).__name__}): try again")


async def _on_anything_else(_: Request, error: Exception) -> JSONResponse:
    """A fault of ours: the server logs it with its trace; what it says may hold what is nobody's business."""
    return problem_response(500, f"the service failed ({type(error).__name__}); its log says how")


def install_problem_handlers(app: FastAPI) -> None:
    """Makes every error of `app` a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    for kind in DATABASE_AWAY:
        app.add_exception_handler(kind, _on_database_away)
    app.add_exception_handler(Exception, _on_anything_else)
