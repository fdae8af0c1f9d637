"""What the operations endpoints that all services share answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from common.domain.identifiers import SYMBOL_PATTERN
from common.runtime.inputs import ID_MAX


class Live(BaseModel):
    """The process runs and answers."""

    service: str
    status: Literal["live"] = "live"


class Ready(BaseModel):
    """How each dependency answers, `ok` or what is wrong with it, and how each venue that the service asks stands."""

    service: str
    status: Literal["ready", "not_ready"]
    dependencies: dict[str, str]
    venues: dict[str, Any]


class SettingsInEffect(BaseModel):
    """By variable: the value, hidden where it is secret, and whether the environment or the default set it."""

    service: str
    settings: Mapping[str, Mapping[str, Any]]


class AuditParameters(BaseModel):
    """Which decisions. Unknown parameters are refused: a misspelt filter must not look like an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(50, ge=1, le=500)
    before: int = Field(ID_MAX, ge=1, le=ID_MAX, description="the `next` of the page before")
    signal_id: int | None = Field(None, ge=1, le=ID_MAX)
    symbol: str | None = Field(None, pattern=SYMBOL_PATTERN, examples=["SOL"])


class AuditLine(BaseModel):
    """One decision with the figures that made it."""

    id: int
    decided_at: datetime
    decision: str
    symbol: str | None
    event_id: int | None
    signal_id: int | None
    evidence: dict[str, Any]


class AuditPage(BaseModel):
    """Newest first; `next` is the `before` of the following page, null on the last one."""

    service: str
    items: list[AuditLine]
    next: int | None
