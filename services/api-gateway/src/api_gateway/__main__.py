"""`python -m api_gateway`: the gateway as a process."""

from common.runtime.loading import loaded_for_good

with loaded_for_good():
    from api_gateway.bootstrap import SERVICE, main
    from common.runtime.service import run

if __name__ == "__main__":
    run(SERVICE, main)
