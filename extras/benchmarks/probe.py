"""Run a command; after what it prints, print its time and memory as a line of JSON.

A process starts with the peak memory of the one that started it, so a command is started from
this small one. It imports as little as it can.
"""

import json
import resource
import subprocess
import sys
import time

start = time.perf_counter()
status = subprocess.run(sys.argv[1:], check=False).returncode
seconds = time.perf_counter() - start
if status:
    sys.exit(status if status > 0 else 128 - status)
# Linux counts in KiB.
peak_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
sys.stdout.write("\n" + json.dumps({"seconds": seconds, "peak_bytes": peak_bytes}) + "\n")
