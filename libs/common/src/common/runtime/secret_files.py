"""Secrets that stand in files instead of the environment, where `docker inspect` and crash reports show them."""

import re
from collections.abc import Mapping
from pathlib import Path

_FOLDER = "SECRETS_DIR"
_FILE_NAME = re.compile(r"[a-z][a-z0-9_]*")


def with_secret_files(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` and, for each file in the folder that SECRETS_DIR names, one variable more.

    A file's name in upper case is the variable, its text without the line end is the value: `database_url` holds
    DATABASE_URL. Folders and hidden files, which the makers of such mounts leave there, are passed over.

    Raises:
        ValueError: naming the file that cannot be read, whose name is no variable's, or that sets a variable anew.
    """
    given = dict(environment)
    folder = given.get(_FOLDER, "")
    if not folder:
        return given
    try:
        files = sorted(path for path in Path(folder).iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise ValueError(f"{_FOLDER}={folder!r}: {error.strerror}; allowed is a folder that can be read") from error
    return given | {_variable(path, given): _text(path) for path in files}


def _variable(path: Path, given: Mapping[str, str]) -> str:
    name = path.name.upper()
    if not _FILE_NAME.fullmatch(path.name):
        raise ValueError(
            f"{_FOLDER}: {path.name!r} is no variable's name; allowed is one in lower case, as database_url"
        )
    if name in given:
        raise ValueError(f"{name} is set in the environment and in {path}: allowed is one of them")
    return name


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{_FOLDER}: {path}: {error.strerror}; allowed is a file that can be read") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{_FOLDER}: {path}: is no text") from error
