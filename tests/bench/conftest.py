"""The benchmarks are scripts that import each other from their folder."""

from __future__ import annotations

import sys
from pathlib import Path

# last on the path: bench/dns.py has the name of dnspython's package
sys.path.append(str(Path(__file__).parents[2] / "bench"))
