"""Why something was not done: a name from the specification, the figures behind it, and whether to try again."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """The first rule that failed. `evidence` holds its figures."""

    reason: str
    retryable: bool
    evidence: dict[str, Any] = field(default_factory=dict)
