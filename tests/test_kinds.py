"""A quick run is quick: what needs a browser, a started app or a network cannot be in it by mistake."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kinds import KINDS, LONGEST, kinds_by, says_its_kind

ROOT = Path(__file__).parent.parent
CARELESS = """
import subprocess, sys
import pytest

@pytest.fixture
def browser():
    return 1

@pytest.fixture
def finder():
    return 1

@pytest.fixture
def booth(browser):
    return 1

def test_plain(finder):
    pass

def test_starts():
    subprocess.run([sys.executable, "-c", "0"])

def test_serves():
    from tests.serving import serving

def test_imports_torch():
    import torch

def test_looks(finder, astronaut):
    raise AssertionError

def test_drives(booth):
    raise AssertionError

@pytest.mark.app
def test_says_so():
    raise AssertionError
"""
WHOLE = "import pytest\npytestmark = pytest.mark.draws\nraise AssertionError\n"


@pytest.mark.app
def test_a_quick_run_starts_no_app_imports_no_network_and_leaves_out_what_is_marked(tmp_path: Path) -> None:
    (tmp_path / "test_careless.py").write_text(CARELESS, encoding="utf-8")
    (tmp_path / "test_whole.py").write_text(WHOLE, encoding="utf-8")
    given = ["-p", "tests.conftest", "-c", os.devnull, "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *given, "--quick", "-n", "0", "-rA", "--tb=line", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    told = dict(re.findall(r"^(?:PASSED|FAILED|ERROR) \S+?::(\w+)(.*)", done.stdout, re.MULTILINE))
    assert set(told) == {"test_plain", "test_starts", "test_serves", "test_imports_torch"}, done.stdout
    assert "1 passed, 3 deselected" in done.stdout.replace("3 failed, ", "")
    assert re.search(r"test_starts starts python\S*: mark it app", done.stdout)
    assert "A quick test imports no playwright" in done.stdout  # which whoever serves an app imports
    assert "A quick test imports no torch" in done.stdout


@pytest.mark.parametrize(
    ("fixtures", "kinds"),
    [
        (("tmp_path", "finder", "studio"), set()),
        (("finder", "hopper"), {"draws"}),
        (("studio", "portraits"), {"draws"}),
        (("booth", "playwright", "browser"), {"app", "browser"}),
    ],
)
def test_a_kind_is_told_from_the_fixtures(fixtures: tuple[str, ...], kinds: set[str]) -> None:
    assert kinds_by(fixtures) == kinds


def test_a_test_has_the_kinds_of_its_fixtures(request: pytest.FixtureRequest) -> None:
    drawing = [item for item in request.session.items if {"finder", "astronaut"} <= set(item.fixturenames)]  # type: ignore[attr-defined]
    assert all(item.get_closest_marker("draws") for item in drawing)
    assert not any(request.node.get_closest_marker(kind) for kind in KINDS)


def test_a_module_that_says_its_kind_says_so_in_a_line_of_its_own(tmp_path: Path) -> None:
    module = tmp_path / "test_one.py"
    for line, says in (("pytestmark = pytest.mark.app", True), ("# pytestmark = pytest.mark.app", False)):
        module.write_text(f'"""A module."""\n{line}\n', encoding="utf-8")
        assert says_its_kind(module) == says


def test_the_files_that_begin_first_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / "tests" / name).exists()] == []
