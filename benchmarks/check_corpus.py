"""The programs of known verdict that the tests have, for the benchmarks, which are not installed beside them."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
if importlib.util.find_spec("headway") is None:  # a Python that has the peers need not have headway
    sys.path.append(str(ROOT / "src"))

from corpus import Program, imported, programs  # noqa: E402 # it is found by the line above

__all__ = ["Program", "imported", "programs"]
