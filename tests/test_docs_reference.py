"""The reference of the API says what the docstrings say, and leaves no public name out."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import headway
from headway.run.backends.open import _PLACES, NAMES

REFERENCE = Path(__file__).parent.parent / "docs/reference"
PAGE = REFERENCE / "run.md"
PAGES = (PAGE, REFERENCE / "check.md", REFERENCE / "record.md")
SHOWN = re.compile(r"(<!-- docstring: (\S+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
SECTIONS = ("Args", "Returns", "Raises", "Attributes", "Source", "Runs on", "Cost")
ENTRY = re.compile(r"(\w+): (.*)")
# Classes that are called; the others come from functions.
MADE_BY_CALLER = {"Executor", "Channel", "Limit", "Retry"}
# Methods by which parts of headway talk to each other.
INNER = {
    "Future": {"stopped", "settle"},
    "Job": {"claim", "drop", "end", "ended", "wait_shielded"},
    "Retry": {"again"},
}
# Of the other arms, or about them.
NOT_RUN = {
    "__version__",
    "CannotControl",
    "CannotObserve",
    "CheckError",
    "FindingsFound",
    "ReplayDiverged",
    "ScheduleFailure",
    "TraceNotFound",
    "TraceTooNew",
    "TraceUnreadable",
}


BACKEND = re.compile(r"^\| `\"(\w+)\"` \| (.*) \| (.*) \| (.*) \| (.*) \|$", re.MULTILINE)


def names() -> list[str]:
    return [name for page in PAGES for _, name, _, _ in SHOWN.findall(page.read_text(encoding="utf-8"))]


def find(name: str) -> Any:
    """What `module:name` stands for."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def signature(thing: Any) -> str:
    """The parameters and their defaults; types are for the type checker."""
    found = inspect.signature(thing)
    kept = [
        parameter.replace(annotation=parameter.empty)
        for name, parameter in found.parameters.items()
        if name != "self"
    ]
    text = str(found.replace(parameters=kept, return_annotation=found.empty))
    return text.replace("<class 'Exception'>", "Exception")


def render(thing: Any) -> str:
    """A function or a class, as Markdown."""
    call = f"```text\nheadway.{thing.__name__}{signature(thing)}\n```"
    if not inspect.isclass(thing):
        return f"{call}\n\n{text_of(thing)}\n"
    called = thing.__name__ in MADE_BY_CALLER
    blocks = [
        text_of(thing)
        if called
        else re.sub(r"\*\*Args:\*\*\n.*?(?=\n\*\*|\Z)", "", text_of(thing), flags=re.DOTALL).strip()
    ]
    if called:
        blocks.insert(0, call)
    if rest := [f"- {line}" for line in members(thing)]:
        blocks.append("\n".join(rest))
    return "\n\n".join(blocks) + "\n"


def members(cls: Any) -> Iterator[str]:
    """What a class has, one line each, in the order of its source."""
    for name, member in vars(cls).items():
        if name.startswith("_") or name in INNER.get(cls.__name__, ()):
            continue
        if isinstance(member, property):
            yield f"`.{name}`: {flat(member.__doc__)}"
        elif inspect.isfunction(member) and member.__doc__:
            yield f"`.{name}{signature(member)}`: {flat(member.__doc__)}"
    if hasattr(cls, "__dataclass_fields__"):
        notes = field_notes(cls)
        for name in cls.__dataclass_fields__:
            if not re.search(rf"^ +{name}: ", cls.__doc__ or "", re.MULTILINE):
                yield f"`.{name}`: {notes[name]}" if name in notes else f"`.{name}`"


def field_notes(cls: Any) -> dict[str, str]:
    """The texts that stand below the fields of a dataclass."""
    found = re.findall(
        r"^    (\w+): [^\n]+\n    \"\"\"(.*?)\"\"\"", inspect.getsource(cls), re.MULTILINE | re.DOTALL
    )
    return {name: " ".join(text.split()) for name, text in found}


def flat(doc: str | None) -> str:
    """A docstring in one paragraph."""
    lines = inspect.cleandoc(doc or "").splitlines()
    joined = []
    for line in lines:
        found = re.fullmatch(r"(Args|Returns|Raises):", line.strip())
        joined.append(f"*{found[1]}:*" if found else line.strip())
    return " ".join(" ".join(joined).split())


def text_of(thing: Any) -> str:
    """A docstring, its sections as lists."""
    out: list[str] = []
    section = ""
    code = False
    for line in inspect.cleandoc(thing.__doc__ or "").splitlines():
        if line.startswith("```"):
            code = not code
            out.append("```text" if code else "```")
            continue
        head = re.fullmatch(rf"({'|'.join(SECTIONS)}):(.*)", line)
        if head and not code:
            section = head[1] if not head[2] else ""
            out += ["", f"**{head[1]}:**{head[2]}" + ("" if head[2] else "\n")]
        elif section and line.startswith("    ") and not code:
            entry = ENTRY.fullmatch(line[4:])
            if entry and section != "Returns":
                out.append(f"- `{entry[1]}`: {entry[2]}")
            else:
                out.append(f"  {line.strip()}" if section != "Returns" else line.strip())
        else:
            section = section if not line else ""
            out.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()


@pytest.fixture(scope="module", autouse=True)
def page(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--regenerate"):
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            text = SHOWN.sub(lambda found: found[1] + render(find(found[2])) + found[4], text)
            page.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", names())
def test_the_reference_says_what_the_docstring_says(name: str) -> None:
    shown = {
        found[1]: found[2] for page in PAGES for found in SHOWN.findall(page.read_text(encoding="utf-8"))
    }
    assert shown[name] == render(find(name))


def test_the_reference_has_every_public_name() -> None:
    shown = {name.partition(":")[2] for name in names()}
    errors = {
        name
        for name in headway.__all__
        if isinstance(getattr(headway, name), type(Exception))
        and issubclass(getattr(headway, name), Exception)
    }
    assert set(headway.__all__) - NOT_RUN - errors <= shown


def rows() -> dict[str, list[str]]:
    """The cells of the table of backends."""
    return {name: cells for name, *cells in BACKEND.findall(PAGE.read_text(encoding="utf-8"))}


def test_the_table_has_every_backend() -> None:
    assert set(rows()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_table_says_what_a_backend_does(name: str) -> None:
    place = _PLACES[name]
    try:
        cls = getattr(importlib.import_module(f"headway.run.backends.{place.module}"), place.cls)
    except ImportError as error:
        pytest.skip(f"not for this Python: {error}")
    stops, here, batches, _ = rows()[name]
    milliseconds = cls.batch_ns / 1_000_000
    assert (stops == "yes", here == "yes") == (cls.stops, cls.local)
    assert batches == (f"{milliseconds:g} ms" if cls.batch_ns else "single calls")


def test_the_table_has_every_error_a_caller_may_meet() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    errors = {
        name for name, kind in vars(headway.errors).items() if inspect.isclass(kind) and name not in NOT_RUN
    }
    assert errors <= listed
