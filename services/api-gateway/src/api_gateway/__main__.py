"""`python -m api_gateway`: the gateway as a process."""

from api_gateway.bootstrap import SERVICE, main
from common.runtime.service import run

if __name__ == "__main__":
    run(SERVICE, main)
