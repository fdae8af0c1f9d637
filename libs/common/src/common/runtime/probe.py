"""`python -m common.runtime.probe [URL]`: whether a service is ready, as an exit code; for images without curl.

Without an address it asks /health/ready of the service that listens at HTTP_PORT in the same container.
"""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence

_TIMEOUT_SECONDS = 3.0
# What is asked is in the same container, whatever proxy the environment names for others.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """0 when the address answers with success, 1 with the reason on standard output otherwise."""
    url = arguments[0] if arguments else f"http://127.0.0.1:{environment.get('HTTP_PORT', '')}/health/ready"
    try:
        with _OPENER.open(url, timeout=_TIMEOUT_SECONDS):
            return 0
    except urllib.error.HTTPError as error:
        print(f"{url} answered {error.code}: {error.read(500).decode(errors='replace')}")
    except (OSError, ValueError) as error:
        print(f"{url}: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
