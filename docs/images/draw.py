"""Draw a trace's report as a terminal shows it: `python docs/images/draw.py DIR > docs/images/NAME.svg`."""

import os
import re
import subprocess
import sys

from rich.console import Console
from rich.text import Text

COLUMNS = 88

environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
environment.pop("NO_COLOR", None)
command = [sys.executable, "-m", "headway", "report", sys.argv[1]]
report = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115 (lives as long as this)
console.print(Text.from_ansi(report))
svg = console.export_svg(title="headway trace examples/mixed.py")
# The reader's own monospaced font: a picture must not fetch one.
print(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL))
