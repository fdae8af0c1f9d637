"""Looks for secrets where none may be: whole, or as they are written in URLs, headers and dumps."""

import base64
from collections.abc import Iterable, Mapping
from urllib.parse import quote

SHORTEST = 6
"""Anything shorter is found everywhere, and would be a secret of no use."""


def leaks(places: Iterable[tuple[str, str]], secrets: Mapping[str, str]) -> list[str]:
    """A sentence for each secret in each place; `places` are names and texts, `secrets` texts by name.

    Raises:
        ValueError: a secret is too short to be looked for.
    """
    forms = {name: _forms(name, secret) for name, secret in secrets.items()}
    return [
        f"{place} shows {name}"
        for place, text in places
        for name, written in forms.items()
        if any(form in text for form in written)
    ]


def _forms(name: str, secret: str) -> frozenset[str]:
    if len(secret) < SHORTEST:
        raise ValueError(f"{name} has less than {SHORTEST} characters")
    raw = secret.encode()
    # The end of base64 depends on what follows.
    return frozenset({secret, quote(secret, safe=""), raw.hex(), base64.b64encode(raw).decode().rstrip("=")[:-1]})
