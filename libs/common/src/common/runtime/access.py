"""Who may ask for what: credentials, their roles, and what is told of those who may not.

A token is 256 random bits, so what is kept of it is its plain SHA-256: nobody finds a token by guessing, and a slow
hash, which protects words that people choose, would only make each request slow. A token that is looked for is
compared with every stored digest, in constant time. Several are valid at once, each under a name of its own: a new
one is added before the old one is taken away.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from common.runtime.settings import Flag, SettingsError, ShownSettings

TOKEN_BYTES = 32
NAME_PATTERN = r"[a-z][a-z0-9_.-]{0,39}"
_LINE = re.compile(rf"(?P<name>{NAME_PATTERN}):(?P<role>read|operate):(?P<digest>[0-9a-f]{{64}})")
_LINE_FORM = "name:role:sha256 with a lower-case name, the role read or operate, and 64 hexadecimal digits"


class Role(StrEnum):
    """What a credential is for; `operate` may do everything that `read` may."""

    READ = "read"
    OPERATE = "operate"

    def covers(self, needed: "Role") -> bool:
        """Whether this role is enough where `needed` is."""
        return self is Role.OPERATE or needed is Role.READ


class AccessSettings(ShownSettings):
    """Who may reach this service. Rates are requests in real seconds, for each credential or address."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    access_required: Flag = True
    access_tokens: SecretStr = SecretStr("")
    access_tokens_file: str = ""
    access_session_hours: float = Field(12, gt=0, le=24 * 30)
    access_requests_per_sec: float = Field(300, gt=0, le=100_000)


@dataclass(frozen=True, slots=True)
class Credential:
    """One token as it is kept: by its digest."""

    name: str
    role: Role
    digest: str


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the credential's name, and from where. `is_named` is false where access is off."""

    name: str
    role: Role
    address: str
    is_named: bool = True


def digest_of(token: str) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def new_token(name: str, role: Role) -> tuple[str, str]:
    """A new token, and the line of ACCESS_TOKENS that lets it in."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return token, f"{name}:{role}:{digest_of(token)}"


class Access:
    """The credentials of one service."""

    def __init__(self, credentials: Iterable[Credential], *, is_required: bool = True) -> None:
        self._by_name = {credential.name: credential for credential in credentials}
        self.is_required = is_required

    def find(self, token: str) -> Credential | None:
        """The credential of a token; every stored digest is compared, whichever fits."""
        wanted, found = digest_of(token), None
        for credential in self._by_name.values():
            if hmac.compare_digest(credential.digest, wanted):
                found = credential
        return found

    def still_valid(self, name: str, digest: str) -> Credential | None:
        """The credential of that name, if its token is still the one with this digest."""
        credential = self._by_name.get(name)
        return credential if credential and hmac.compare_digest(credential.digest, digest) else None


def read_access(settings: AccessSettings, http_host: str) -> Access:
    """The access of a service that listens on `http_host`.

    Raises:
        SettingsError: a token's line is wrong, nobody could get in, or access is off where others could reach it.
    """
    if not settings.access_required:
        if not is_loopback(http_host):
            raise SettingsError(
                f"ACCESS_REQUIRED=0 with HTTP_HOST={http_host!r}: access may be off on loopback only; "
                "set ACCESS_REQUIRED=1 and ACCESS_TOKENS"
            )
        return Access([], is_required=False)
    credentials = _credentials(settings)
    if not credentials:
        raise SettingsError(
            "ACCESS_TOKENS is not set, so nobody could ask this service anything: make a token with "
            "`python -m common.runtime.new_token NAME ROLE`, or set ACCESS_REQUIRED=0 on loopback"
        )
    return Access(credentials)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _credentials(settings: AccessSettings) -> list[Credential]:
    found: dict[str, Credential] = {}
    for source, text in _texts(settings):
        for number, line in enumerate(re.split(r"[,\n]", text), 1):
            if not line.strip() or line.strip().startswith("#"):
                continue
            match = _LINE.fullmatch(line.strip())
            if match is None:
                # What stands there may be a token that somebody pasted: it is not repeated.
                raise SettingsError(f"{source}, entry {number}: allowed is {_LINE_FORM}")
            if match["name"] in found:
                raise SettingsError(f"{source}, entry {number}: the name {match['name']} is there twice")
            found[match["name"]] = Credential(match["name"], Role(match["role"]), match["digest"])
    return list(found.values())


def _texts(settings: AccessSettings) -> Iterable[tuple[str, str]]:
    yield "ACCESS_TOKENS", settings.access_tokens.get_secret_value()
    if settings.access_tokens_file:
        try:
            yield "ACCESS_TOKENS_FILE", Path(settings.access_tokens_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"ACCESS_TOKENS_FILE={settings.access_tokens_file!r}: cannot be read: {error}"
            ) from error
