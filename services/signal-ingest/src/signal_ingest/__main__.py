"""`python -m signal_ingest`."""

from common.runtime.loading import loaded_for_good

with loaded_for_good():
    from common.runtime.service import run
    from signal_ingest.bootstrap import SERVICE, main

if __name__ == "__main__":
    run(SERVICE, main)
