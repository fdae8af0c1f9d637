"""The states of a trade that is not over yet."""

ACTIVE_STATES = ("opening", "open", "closing")
"""One trade of a symbol may be in one of these."""
