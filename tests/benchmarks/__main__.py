"""`make bench`: the figures that the project quotes, from one run, with the machine named."""

import asyncio
import platform
import sys
from pathlib import Path

from benchmarks import ingestion, opening, reading, streaming, sweeping


def machine() -> str:
    """Processor, cores, memory, system and Python."""
    processor = "unknown processor"
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        processor = f"{len(names)} x {names[0]}" if names else processor
    return f"{processor}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def main() -> int:
    print(f"machine: {machine()}\n", flush=True)
    for line in sweeping.report():
        print(line, flush=True)
    for report in (opening.report, ingestion.report, reading.report, streaming.report):
        for line in asyncio.run(report()):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
