"""The help texts are golden files: `pytest tests/cli --regenerate` writes them anew."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import headway
from headway import cli

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("verb", ["", *cli.VERBS])
def test_help_is_as_written_down(verb: str, request: pytest.FixtureRequest) -> None:
    result = CliRunner().invoke(cli.headway, [*([verb] if verb else []), "--help"], prog_name="headway")
    golden = GOLDEN / f"{verb or 'headway'}.txt"
    if request.config.getoption("--regenerate"):
        golden.write_text(result.output, encoding="utf-8")
    assert result.exit_code == 0
    assert result.output == golden.read_text(encoding="utf-8")
    assert max(map(len, result.output.splitlines())) <= 80


def test_the_command_alone_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "headway trace prog.py" in capsys.readouterr().out


def test_version_names_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"headway {headway.__version__}\n"
