"""`python -m signal_ingest`."""

from common.runtime.service import run
from signal_ingest.bootstrap import SERVICE, main

if __name__ == "__main__":
    run(SERVICE, main)
