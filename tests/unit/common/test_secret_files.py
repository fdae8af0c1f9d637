"""Secrets in files become variables, and whatever is wrong with them is said without a letter of a secret."""

from pathlib import Path

import pytest

from common.runtime.secret_files import with_secret_files


def folder_of(path: Path, files: dict[str, str]) -> dict[str, str]:
    for name, text in files.items():
        (path / name).write_text(text)
    return {"SECRETS_DIR": str(path)}


def test_without_a_folder_the_environment_stays_as_it_is() -> None:
    assert with_secret_files({"LOG_LEVEL": "info"}) == {"LOG_LEVEL": "info"}


def test_each_file_is_a_variable_without_the_line_end(tmp_path: Path) -> None:
    environment = folder_of(tmp_path, {"database_url": "postgresql://a:b@c/d\n", "venue_bybit_api_secret": "s p \r\n"})
    found = with_secret_files({**environment, "LOG_LEVEL": "info"})
    assert found["DATABASE_URL"] == "postgresql://a:b@c/d"
    assert found["VENUE_BYBIT_API_SECRET"] == "s p "
    assert found["LOG_LEVEL"] == "info"


def test_a_mount_of_links_into_a_hidden_folder_is_read_through_its_links(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "nats_url").write_text("nats://a:b@c")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "nats_url").symlink_to("..data/nats_url")
    (tmp_path / "other-mount").mkdir()
    assert with_secret_files({"SECRETS_DIR": str(tmp_path)}) == {
        "SECRETS_DIR": str(tmp_path),
        "NATS_URL": "nats://a:b@c",
    }


@pytest.mark.parametrize(
    ("files", "given", "sentence"),
    [
        (
            {"database_url": "from-file"},
            {"DATABASE_URL": "from-shell"},
            "DATABASE_URL is set in the environment and",
        ),
        ({"API-key.txt": "from-file"}, {}, "'API-key.txt' is no variable's name; allowed is one in lower case"),
        ({"Database_url": "from-file"}, {}, "'Database_url' is no variable's name"),
    ],
)
def test_a_file_that_cannot_be_a_variable_is_named(
    tmp_path: Path, files: dict[str, str], given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        with_secret_files({**folder_of(tmp_path, files), **given})
    assert "from-" not in str(refused.value)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"SECRETS_DIR=.*No such file or directory; allowed is a folder"):
        with_secret_files({"SECRETS_DIR": str(tmp_path / "absent")})
    (tmp_path / "nats_url").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="nats_url: is no text"):
        with_secret_files({"SECRETS_DIR": str(tmp_path)})
