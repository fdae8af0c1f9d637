"""The wrapping of every message: who said what when, and under which id it is known to the bus."""

from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from common.messages.contracts import Message

MessageType = TypeVar("MessageType", bound=Message)


class Envelope(BaseModel):
    """One message on the wire. `id` is a natural key: the same fact is always sent under the same id."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    subject: str
    producer: str
    sent_at: datetime
    trace: dict[str, str] = Field(default_factory=dict)
    payload: dict[str, Any]

    def read(self, kind: type[MessageType]) -> MessageType:
        """The payload as `kind`.

        Raises:
            pydantic.ValidationError: it is not one.
        """
        return kind.model_validate(self.payload)
