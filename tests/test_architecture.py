"""The design holds: import order, module and function length."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipelines", "commission", "votes", "booth", "pages", "training", "bench", "evaluation")
LONGEST_MODULE, LONGEST_FUNCTION = 400, 60


def product() -> list[Path]:
    """Every module that git would carry, tests apart."""
    inside = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return [*ROOT.glob("*.py"), *inside]


def listed() -> list[str]:
    """The tree of `docs/architecture.md`, top to bottom."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = re.search(r"```tree\n(.*?)```", text, re.DOTALL)
    assert tree, "docs/architecture.md holds no tree"
    return [line.split()[0] for line in tree[1].splitlines()]


def place(path: Path) -> int | None:
    """Where a module stands in the list: its own line, or its folder's."""
    name = path.relative_to(ROOT).as_posix()
    for index, entry in enumerate(listed()):
        if name == entry or (entry.endswith("/") and name.startswith(entry)):
            return index
    return None


def imports(path: Path) -> Iterator[Path]:
    """Our own modules that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            module = ROOT / Path(*name.split(".")).with_suffix(".py")
            if module.exists():
                yield module


def test_every_listed_module_exists() -> None:
    missing = [entry for entry in listed() if not (ROOT / entry).exists()]
    assert not missing


@pytest.mark.parametrize(
    "path", [p for p in product() if p.parent.name not in ("training", "bench", "evaluation")], ids=str
)
def test_a_module_imports_only_what_stands_above_it(path: Path) -> None:
    if path.name == "__init__.py":  # a package says what it holds, and imports nothing
        assert not list(imports(path)), "a package's own file holds no imports"
        return
    here = place(path)
    assert here is not None, f"{path.name} is missing from docs/architecture.md"
    for module in imports(path):
        above = place(module)
        assert above is not None and (above < here or (above == here and listed()[here].endswith("/"))), (
            f"{path.name} imports {module.name}, which comes later"
        )


@pytest.mark.parametrize("path", product(), ids=str)
def test_no_module_and_no_function_is_too_long(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, f"{node.name} is too long"


def test_no_product_module_names_the_non_commercial_renderer() -> None:
    for path in product():
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "import" in line]
        assert not any("open_pose" in line for line in lines), path.name
