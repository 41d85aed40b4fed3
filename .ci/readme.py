"""Print one of the README's commands: the shell block after `<!-- command: NAME -->`."""

import re
import sys
from pathlib import Path


def command(name: str) -> str:
    """Give the text of a marked block.

    Args:
        name: What the marker calls it.
    Raises:
        SystemExit: There is no such block.
    """
    text = Path("README.md").read_text(encoding="utf-8")
    found = re.search(
        rf"<!-- command: {re.escape(name)} -->\n```(?:sh|bash|console)\n(.*?)\n```", text, re.DOTALL
    )
    if found is None:
        raise SystemExit(f"README.md has no block marked `<!-- command: {name} -->`")
    return found[1]


if __name__ == "__main__":
    print(command(sys.argv[1]))
