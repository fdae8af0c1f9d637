"""What the operations endpoints that all services share answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel


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
