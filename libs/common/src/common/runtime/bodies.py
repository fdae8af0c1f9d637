"""How much of a request's body is read."""

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive


def bounded(receive: Receive, bytes_max: int) -> Receive:
    """What `receive` brings, answered with 413 as soon as the body is longer than `bytes_max`."""
    size = 0

    async def receive_within_bounds() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > bytes_max:
            # FastAPI, where it asks for the body, lets this one exception through.
            raise HTTPException(413, f"the body is longer than the {bytes_max} bytes that are allowed")
        return message

    return receive_within_bounds
