"""What the pages on check show is what pytest prints, and their tests pass.

`pytest tests/check/test_tutorial.py --regenerate` pastes the tutorial's output anew.
"""

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.usefixtures("only_our_plugin")

PAGE = Path(__file__).parent.parent.parent / "docs/tutorial/first-check.md"
HOW_TO = PAGE.parent.parent / "how-to"
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


def programs() -> dict[str, tuple[str, str]]:
    """Golden block to the file that it is the output of, and its text."""
    plain, cure, transfer = PYTHON.findall(PAGE.read_text(encoding="utf-8"))[:3]
    marked = "import pytest\n" + plain.replace("def test_", "@pytest.mark.headway\ndef test_")
    start, end = marked.index("class Account"), marked.index("@pytest.mark.headway")
    mended = f"{marked[:start]}{cure}\n\n{marked[end:]}"
    return {
        "account": ("test_account.py", marked),
        "mended": ("test_account.py", mended),
        "transfer": ("test_transfer.py", transfer),
    }


ROW = re.compile(r"([>!] )?\d+ |# |race: |\w+ (reads|writes) it |\(> the schedule|holds |waits for |at test_")


def shown(text: str) -> list[str]:
    """Without what differs from run to run, and the rows, which differ from one mix of strategies to the next."""
    text = re.sub(r"\(schedule \d+ of", "(schedule N of", text)
    text = re.sub(r"\d:[0-9a-f]{6}:[\w-]+", "TOKEN", text)
    text = re.sub(r"0x[0-9a-f]+", "0x...", text)
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    return [line for line in lines if not ROW.match(line)]


def output(result: pytest.RunResult, name: str) -> str:
    """The part of what pytest printed that the page shows."""
    text = result.stdout.str()
    if name == "mended":
        found = re.search(r"(?<=headway -{10})-*\n(.*?)\n[=\d]", text, re.DOTALL)
    else:
        found = re.search(r"(?<== FAILURES =)=+\n(.*?)\n-+ headway -+\n", text, re.DOTALL)
    assert found is not None, text
    return found[1].rstrip() + "\n"


@pytest.mark.parametrize("name", ["account", "mended", "transfer"])
def test_the_tutorial_shows_what_pytest_prints(
    name: str, pytester: pytest.Pytester, request: pytest.FixtureRequest
) -> None:
    file, program = programs()[name]
    (pytester.path / file).write_text(program, encoding="utf-8")
    printed = output(pytester.runpytest_subprocess("-rP", "-p", "no:cacheprovider"), name)
    text = PAGE.read_text(encoding="utf-8")
    block = re.compile(rf"(<!-- golden: {name} -->\n```text\n)(.*?)(```)", re.DOTALL)
    if request.config.getoption("--regenerate"):
        text = block.sub(lambda found: found[1] + printed + found[3], text)
        PAGE.write_text(text, encoding="utf-8")
    found = block.search(text)
    assert found is not None
    assert shown(found[2]) == shown(printed)
    for number, source in re.findall(r"^ *[>!]? +(\d+)  +(\S.*?)(?:  #.*)?$", found[2], re.MULTILINE):
        assert program.splitlines()[int(number) - 1].strip() == source


def test_the_readme_shows_what_the_tutorial_shows() -> None:
    readme = (PAGE.parent.parent.parent / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```text\n(AssertionError in scenario.*?)```", readme, re.DOTALL)
    assert found is not None
    tutorial = [line.strip() for line in PAGE.read_text(encoding="utf-8").splitlines()]
    first, *others = (line.strip() for line in found[1].splitlines())
    assert f"E   headway.errors.ScheduleFailure: {first}" in tutorial
    assert not [line for line in others if line not in tutorial]


def test_two_lines_are_changed() -> None:
    text = PAGE.read_text(encoding="utf-8")
    added = re.findall(r"^\+(.*)$", text, re.MULTILINE)
    assert added == ["import pytest", "@pytest.mark.headway"]


@pytest.mark.parametrize("page", ["check-in-pytest", "check-a-library-in-ci"])
def test_the_tests_of_a_how_to_pass(page: str, pytester: pytest.Pytester) -> None:
    text = (HOW_TO / f"{page}.md").read_text(encoding="utf-8")
    text = re.sub(r"<!-- fragment -->\n```python.*?```", "", text, flags=re.DOTALL)
    program = "\n".join(PYTHON.findall(text))
    pytester.makepyfile(test_page=program)
    pytester.runpytest_subprocess("--headway-schedules=100").assert_outcomes(
        passed=len(re.findall(r"^(?:async )?def test_", program, re.MULTILINE))
    )
