"""The layers, kept by reading the imports."""

import ast
from pathlib import Path

import pytest

import headway

ROOT = Path(headway.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
ARMS = ("run", "trace", "check", "gil")


def module_of(file: Path) -> str:
    parts = ("headway", *file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def without_types(tree: ast.Module) -> ast.Module:
    """The file without what only type checkers read."""
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    ]
    return tree


def imports_of(file: Path) -> set[str]:
    """All modules of ours that a file imports, at any depth, `from headway import x` as `headway.x`."""
    package = module_of(file).split(".")[: None if file.name == "__init__.py" else -1]
    found = set()
    for node in ast.walk(without_types(ast.parse(file.read_text(encoding="utf-8")))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "headway"}


def in_arm(name: str, arm: str) -> bool:
    return name.split(".")[1:2] == [arm]


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_the_imports_keep_the_layers(file: Path) -> None:
    module, imports = module_of(file), imports_of(file)
    for arm in ARMS:
        if in_arm(module, arm):
            forbidden = [*(other for other in ARMS if other != arm), "view", "cli"]
            assert not [name for name in imports if any(in_arm(name, other) for other in forbidden)]
    if in_arm(module, "view"):
        assert not [
            name for name in imports if any(in_arm(name, other) for other in ("run", "check", "gil", "cli"))
        ]
    if module in ("headway.units", "headway.errors", "headway.seam", "headway.pages"):
        assert not imports
    if module == "headway":
        assert not [name for name in imports if any(in_arm(name, arm) for arm in (*ARMS, "view", "cli"))]


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_only_native_knows_the_name_of_the_library(file: Path) -> None:
    assert file.name == "_native.py" or "libheadway" not in file.read_text(encoding="utf-8")
