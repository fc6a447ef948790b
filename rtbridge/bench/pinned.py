"""`python -m rtbridge.bench.pinned CORE COMMAND…`: an rtbridge command on one core, all its threads included."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):  # Linux; elsewhere the bench says that nothing was pinned
        os.sched_setaffinity(0, {int(sys.argv[1])})
    os.execv(sys.executable, [sys.executable, "-m", "rtbridge", *sys.argv[2:]])
