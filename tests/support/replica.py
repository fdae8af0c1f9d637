"""A replica that leads, or does not, as a test says."""

from dataclasses import dataclass


@dataclass
class SetLeadership:
    """Leads until it is told otherwise."""

    is_ours: bool = True
