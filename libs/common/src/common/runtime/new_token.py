"""`python -m common.runtime.new_token NAME ROLE`: a new token, and the line of ACCESS_TOKENS that lets it in."""

import re
import sys
from collections.abc import Sequence

from common.runtime.access import NAME_PATTERN, Role, new_token

USAGE = """usage: python -m common.runtime.new_token NAME read|operate
NAME begins with a lower-case letter; letters, digits, '_', '.' and '-' follow"""


def main(arguments: Sequence[str]) -> int:
    """Prints both on lines of their own; the token is kept nowhere."""
    match arguments:
        case [name, ("read" | "operate") as role] if re.fullmatch(NAME_PATTERN, name):
            token, line = new_token(name, Role(role))
        case _:
            print(USAGE, file=sys.stderr)
            return 2
    print(f"token, shown once:              {token}")
    print(f"for ACCESS_TOKENS or its file:  {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
