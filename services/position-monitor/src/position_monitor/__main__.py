"""`python -m position_monitor`."""

from common.runtime.loading import loaded_for_good

with loaded_for_good():
    from common.runtime.service import run
    from position_monitor.bootstrap import main

if __name__ == "__main__":
    run("position-monitor", main)
