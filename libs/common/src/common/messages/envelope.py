"""The wrapping of every message: who said what when, and under which id it is known to the bus."""

from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from common.messages.contracts import Message

MessageType = TypeVar("MessageType", bound=Message)


class Envelope(BaseModel):
    """One message on the wire. `id` is a natural key: the same fact is always sent under the same id.

    `sent_at` is strategy time; `committed_at_seconds` is the same moment in real unix time, to measure how long the
    answer took (None of a sender that does not say).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    subject: str
    producer: str
    sent_at: datetime
    committed_at_seconds: float | None = None
    payload: dict[str, Any]

    def read(self, kind: type[MessageType]) -> MessageType:
        """The payload as `kind`.

        Raises:
            pydantic.ValidationError: it is not one.
        """
        return kind.model_validate(self.payload)
