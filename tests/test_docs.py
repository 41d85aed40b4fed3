"""The docs stay true: links lead somewhere, commands parse, pasted code is the tested code."""

import re
import shlex
from pathlib import Path

import click
import pytest

from headway import cli

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for verb in cli.VERBS:
        command = cli.headway.get_command(click.Context(cli.headway), verb)
        assert command is not None
        monkeypatch.setattr(command, "callback", lambda **_: 0)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_linked_file_exists(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\((?!https?://)([^)#]+)", text)
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_of_ours_parses(page: Path) -> None:
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language != "sh":
            continue
        for line in re.findall(r"^(?:.*&& )?(?:\.venv/bin/)?headway (.*)$", block, re.MULTILINE):
            assert cli.headway.main(shlex.split(line), standalone_mode=False) == 0, line


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_program_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"examples/\w+\.py", page.read_text(encoding="utf-8")))
    assert not [name for name in named if not (ROOT / name).is_file()]


@pytest.mark.parametrize("verb", cli.VERBS)
def test_the_reference_shows_the_help_as_it_is(verb: str, request: pytest.FixtureRequest) -> None:
    page, golden = ROOT / "docs/reference/cli.md", ROOT / f"tests/cli/golden/{verb}.txt"
    text = page.read_text(encoding="utf-8")
    shown = re.compile(rf"(<!-- golden: {verb} -->\n```text\n)(.*?)(```)", re.DOTALL)
    if request.config.getoption("--regenerate"):
        help_text = golden.read_text(encoding="utf-8")
        text = shown.sub(lambda found: found[1] + help_text + found[3], text)
        page.write_text(text, encoding="utf-8")
    found = shown.search(text)
    assert found is not None
    assert found[2] == golden.read_text(encoding="utf-8")


def test_the_mistake_in_the_tutorial_is_the_one_in_the_example() -> None:
    def lines(text: str) -> list[str]:
        return [line.strip() for line in text.strip().splitlines()]

    tutorial = (ROOT / "docs/tutorial/first-trace.md").read_text(encoding="utf-8")
    example = lines((ROOT / "examples/mixed.py").read_text(encoding="utf-8"))
    mistake = next(lines(block) for _, block in BLOCK.findall(tutorial) if "the mistake" in block)
    start = example.index(mistake[0])
    assert example[start : start + len(mistake)] == mistake


def test_the_cure_in_the_tutorial_works() -> None:
    tutorial = (ROOT / "docs/tutorial/first-trace.md").read_text(encoding="utf-8")
    cure = next(block for _, block in BLOCK.findall(tutorial) if "def get" in block)
    names: dict[str, object] = {"__name__": "mixed"}
    exec(compile((ROOT / "examples/mixed.py").read_text(encoding="utf-8"), "mixed.py", "exec"), names)
    exec(cure, names)
    prices = names["Prices"]
    assert isinstance(prices, type)
    one = prices()
    get = names["get"]
    assert callable(get)
    assert 1 <= get(one, "s7") < 2
    assert get(one, "s7") == get(one, "s7")


@pytest.mark.parametrize("command", ["trace", "tests"])
def test_the_readme_marks_its_commands_for_ci_and_each_is_one_line(command: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- command: {command} -->\n```sh\n(.*?)\n```", readme, re.DOTALL)
    assert found is not None
    assert "\n" not in found[1]
    assert found[1].startswith("python3 -m venv .venv && ")
