"""Python in the docs runs, and prints what stands there.

The blocks of a page are one program, in their order. A text block marked `<!-- prints -->` is what that program prints
there, with `...` for what differs from run to run; a page prints nothing else. A block marked `<!-- fragment -->`
stands for a part of a program, and is only compiled.
"""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(?:<!-- (\w+)[^>]*-->\n)?```(\w+)\n(.*?)```", re.DOTALL)
# Its blocks are parts of an example, which tests/test_docs.py compares with it.
ELSEWHERE = {"docs/tutorial/first-trace.md"}
# Shows at a glance what a program looks like: all its blocks are fragments.
GLANCE = ROOT / "README.md"


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """Mark, language and text of each block."""
    return [found.groups("") for found in BLOCK.finditer(page.read_text(encoding="utf-8"))]  # type: ignore[misc]


PAGES = [
    page
    for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    if str(page.relative_to(ROOT)) not in ELSEWHERE
    and any(language == "python" for _, language, _ in blocks(page))
]


def test_there_are_pages_with_code() -> None:
    assert PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_runs_and_prints_what_it_says(page: Path, tmp_path: Path) -> None:
    program, printed = "", ""
    for mark, language, text in blocks(page):
        assert mark in ("", "fragment", "prints", "golden", "command"), mark
        if language == "python":
            compile(text, str(page), "exec", dont_inherit=True)
            program += "" if mark == "fragment" or page == GLANCE else text
        elif mark == "prints":
            printed += text
    path = tmp_path / f"{page.stem.replace('-', '_')}.py"
    path.write_text(program, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", str(path)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (result.returncode, result.stderr) == (0, "")
    checker = doctest.OutputChecker()
    assert checker.check_output(printed, result.stdout, doctest.ELLIPSIS), result.stdout
