"""Credentials: what is kept of a token, what lets it in, and what stops a service that all or none could reach."""

import hashlib
from pathlib import Path

import pytest

from common.runtime.access import Access, AccessSettings, Role, digest_of, new_token, read_access
from common.runtime.new_token import main
from common.runtime.rate_limits import KEYS_MAX, RateLimits
from common.runtime.settings import SettingsError, load


def access(host: str = "127.0.0.1", **settings: str) -> Access:
    return read_access(load(AccessSettings, settings), host)


def test_a_token_is_found_by_its_digest_and_never_kept() -> None:
    token, line = new_token("desk", Role.OPERATE)
    assert token not in line
    assert len(token) >= 43
    assert line == f"desk:operate:{hashlib.sha256(token.encode()).hexdigest()}"
    found = access(ACCESS_TOKENS=line).find(token)
    assert found is not None
    assert (found.name, found.role) == ("desk", Role.OPERATE)
    assert access(ACCESS_TOKENS=line).find(token + "x") is None
    assert access(ACCESS_TOKENS=line).find("\ud800") is None


def test_several_are_valid_at_once_from_the_environment_and_from_a_file(tmp_path: Path) -> None:
    (old, old_line), (new, new_line) = new_token("desk", Role.OPERATE), new_token("desk-2", Role.READ)
    file = tmp_path / "tokens"
    file.write_text(f"# the next one\n{new_line}\n\n")
    both = access(ACCESS_TOKENS=f" {old_line} ,", ACCESS_TOKENS_FILE=str(file))
    assert [credential.name for token in (old, new) if (credential := both.find(token))] == ["desk", "desk-2"]
    assert both.still_valid("desk", digest_of(old)) is not None
    assert both.still_valid("desk", digest_of(new)) is None
    assert both.still_valid("nobody", digest_of(old)) is None


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "ACCESS_TOKENS is not set"),
        ({"ACCESS_TOKENS": "desk:operate:secret-word"}, "ACCESS_TOKENS, entry 1"),
        ({"ACCESS_TOKENS": "desk:admin:" + "0" * 64}, "ACCESS_TOKENS, entry 1"),
        ({"ACCESS_TOKENS": ",".join(["desk:read:" + "0" * 64] * 2)}, "the name desk is there twice"),
        ({"ACCESS_TOKENS_FILE": "/nowhere/tokens"}, "ACCESS_TOKENS_FILE='/nowhere/tokens': cannot be read"),
        ({"ACCESS_REQUIRED": "no"}, "ACCESS_REQUIRED='no'"),
        ({"ACCESS_REQUESTS_PER_SEC": "0"}, "ACCESS_REQUESTS_PER_SEC='0'"),
        ({"ACCESS_SESSION_HOURS": "-1"}, "ACCESS_SESSION_HOURS='-1'"),
    ],
)
def test_wrong_settings_are_named_and_what_may_be_a_secret_is_not_repeated(settings: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        access(**settings)
    assert "secret-word" not in str(refused.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "tandem.example", ""])
def test_access_is_off_on_loopback_only(host: str) -> None:
    with pytest.raises(SettingsError, match="on loopback only"):
        access(host, ACCESS_REQUIRED="0")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "localhost", "::1"])
def test_access_may_be_off_where_only_this_machine_reaches_it(host: str) -> None:
    assert access(host, ACCESS_REQUIRED="0").is_required is False


def test_a_new_token_is_printed_once_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["desk", "operate"]) == 0
    token, line = (text.rsplit(" ", 1)[1] for text in capsys.readouterr().out.splitlines())
    assert access(ACCESS_TOKENS=line).find(token) is not None
    for wrong in ([], ["desk"], ["desk", "admin"], ["De sk", "read"]):
        assert main(wrong) == 2
        assert "usage" in capsys.readouterr().err


def test_a_bucket_fills_again_and_keys_do_not_share() -> None:
    now = [0.0]
    limits = RateLimits(2.0, 3.0, lambda: now[0])
    assert [limits.retry_after_seconds("a") for _ in range(4)] == [None, None, None, 1]
    assert limits.retry_after_seconds("b") is None
    now[0] = 0.5
    assert limits.retry_after_seconds("a") is None
    assert limits.retry_after_seconds("a") == 1


def test_keys_are_forgotten_beyond_a_number() -> None:
    limits = RateLimits(1.0, 1.0, lambda: 0.0)
    for number in range(KEYS_MAX + 10):
        limits.retry_after_seconds(str(number))
    assert len(limits._buckets) == KEYS_MAX
