"""How the control interface answers: JSON, and problem+json (RFC 9457) that names the field."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from venue_sim.refusals import Reason, Refusal

Command = TypeVar("Command", bound=BaseModel)


def json_response(content: Any) -> Response:
    """`content` as JSON."""
    return Response(orjson.dumps(content), media_type="application/json")


def command_endpoint(
    model: type[Command], act: Callable[[Command], None], state: Callable[[], Any], listed: Callable[[], list[str]]
) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that checks a body, acts, and answers the new state; what is wrong with the body is a problem."""

    async def answer(request: Request) -> Response:
        try:
            act(model.model_validate_json(await request.body()))
        except ValidationError as error:
            return _problem("; ".join(_describe(details) for details in error.errors()))
        except Refusal as refusal:
            return _problem(_refused(refusal, listed()))
        return json_response(state())

    return answer


def _refused(refusal: Refusal, listed: list[str]) -> str:
    if refusal.reason is Reason.UNKNOWN_SYMBOL:
        return f"symbol = {refusal.detail!r}: is not listed; allowed: {', '.join(listed)}"
    return f"the venue's state does not allow it: {refusal}"


def _describe(details: Any) -> str:
    field = ".".join(str(part) for part in details["loc"]) or "the body"
    value = details["input"]
    shown = f" = {value!r}" if isinstance(value, str | int | float | Decimal) and len(str(value)) < 80 else ""
    return f"{field}{shown}: {details['msg'].removeprefix('Value error, ')}"


def _problem(detail: str) -> Response:
    content = {"type": "about:blank", "title": "Command refused", "status": 422, "detail": detail}
    return Response(orjson.dumps(content), 422, media_type="application/problem+json")
