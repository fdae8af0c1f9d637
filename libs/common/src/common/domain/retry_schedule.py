"""When a skipped signal is tried again. The executor sets the time, signal-ingest brings the signal back."""

DELAYS_SECONDS = (10.0, 30.0, 60.0, 120.0, 240.0)
"""After the first attempt, the second, ...; the last one repeats. SPEC 3, Retries."""


def delay_seconds(attempts: int) -> float:
    """Strategy seconds from the attempt just made to the next one; `attempts` counts those made, from 1.

    Raises:
        ValueError: no attempt was made yet.
    """
    if attempts < 1:
        raise ValueError(f"a retry follows at least one attempt, not {attempts}")
    return DELAYS_SECONDS[min(attempts, len(DELAYS_SECONDS)) - 1]
