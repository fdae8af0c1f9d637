"""`python -m executor`."""

from common.runtime.loading import loaded_for_good

with loaded_for_good():
    from common.runtime.service import run
    from executor.bootstrap import main

if __name__ == "__main__":
    run("executor", main)
