"""The documents hold: what the code offers is in them, what they name is there, the README is short."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from starlette.routing import BaseRoute, Mount, Route

import app
import pipelines.__main__
import votes.__main__
from bin.space import CARRIED
from pages.guards.operator_auth import OperatorAuth
from pages.host.login import LOGIN
from pipelines.draw.model_set import read_model_sets
from pipelines.look import read_expressions, read_looks
from services import Services
from settings import Settings, version
from tests.test_booth import services as services  # the fixture
from words import read_words

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MOST_IN_README = 8_000  # characters, the Space's head apart
PAGES = sorted(
    [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("weights/*/*.md")]
)
# What comes before a command's own words, and what no target or module of ours stands behind.
ELSEWHERE = {"pre-commit", "pytest", "git"}


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def body(path: Path) -> str:
    """A page without the head that a Space reads."""
    text = path.read_text(encoding="utf-8")
    return text.split("---\n", 2)[2] if text.startswith("---\n") else text


def section(page: str, heading: str) -> str:
    """What stands under a second-level heading of a page."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {heading}"
    return found[1]


def rows(page: str) -> Iterator[list[str]]:
    """The cells of each row of the tables of a page."""
    for line in page.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


# ---- the README, links, commands


def test_the_readme_is_two_pages() -> None:
    assert len(body(ROOT / "README.md")) <= MOST_IN_README


def test_the_readme_leads_to_every_page_for_readers() -> None:
    readme = text_of("README.md")
    missing = [path.name for path in DOCS.glob("*.md") if f"docs/{path.name}" not in readme]
    assert not missing


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def links(path: Path) -> Iterator[tuple[Path, str]]:
    """Where a page's relative links lead: file and anchor."""
    text = re.sub(r"^```.*?^```", "", body(path), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"\w+:", target):
            name, _, anchor = target.partition("#")
            yield (path.parent / name).resolve() if name else path, anchor


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    for target, anchor in links(path):
        assert target.exists(), f"{target.relative_to(ROOT)} is not there"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", body(target), re.MULTILINE)
            assert anchor in map(slug, headings), f"{target.name} has no heading for #{anchor}"


def test_a_space_gets_every_page_that_its_own_pages_link() -> None:
    carried = [ROOT / name for name in CARRIED]

    def is_carried(path: Path) -> bool:
        return any(path == place or place in path.parents for place in carried)

    lost = [
        f"{path.name}: {target.relative_to(ROOT)}"
        for path in filter(is_carried, PAGES)
        for target, _ in links(path)
        if not is_carried(target)
    ]
    assert not lost


def commands(path: Path) -> Iterator[list[str]]:
    """The words of every command in the fenced blocks of a page, files apart (`ini`, `toml`)."""
    text = path.read_text(encoding="utf-8")
    for kind, block in re.findall(r"^```(.*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines() if not kind else ():
            if words := line.split("#")[0].split():
                yield words


def is_ours(words: list[str]) -> bool:
    """Whether what a command names is there: a make target, a module, a file."""
    tool = words[0].replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".exe")
    if tool == "make":
        targets = re.findall(r"^([\w-]+):", text_of("Makefile"), re.MULTILINE)
        return all(word in targets for word in words[1:])
    if tool == "python" and words[1] == "-m":
        found = find_spec(words[2])
        runs = found is not None and (
            not found.submodule_search_locations or find_spec(f"{words[2]}.__main__") is not None
        )
        return runs
    if tool == "python":
        return (ROOT / words[1]).exists()
    if tool == "pip":
        return all((ROOT / word).exists() for word in words if word.endswith(".txt"))
    return tool in ELSEWHERE


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_in_a_block_names_a_target_or_a_module_that_is_there(path: Path) -> None:
    for words in commands(path):
        assert is_ours(words), " ".join(words)
    inline = re.findall(r"`((?:make|python -m) [^`]+)`", path.read_text(encoding="utf-8"))
    for command in inline:
        assert is_ours(command.split()[: 2 if command.startswith("make") else 3]), command


def test_contributing_names_no_file_that_is_not_there() -> None:
    named = re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.(?:py|toml|md))`", text_of("CONTRIBUTING.md"))
    invented = ("NAME", "SCENE", "xx.")  # what a recipe is about to add
    existing = [name for name in named if not any(word in name for word in invented)]
    assert len(existing) > 10
    modules = {path.name for folder in ("pages", "pipelines") for path in (ROOT / folder).rglob("*.py")}
    assert [name for name in existing if not (ROOT / name).exists() and name not in modules] == []


# ---- what the code offers is documented


def test_every_setting_is_documented_with_its_default() -> None:
    documented = dict(
        re.findall(r"^\| `FACE_VALUE_(\w+)` \| (.*?) \|", text_of("docs/settings.md"), re.MULTILINE)
    )
    assert set(documented) == {name.upper() for name in Settings.model_fields}
    for name, found in Settings.model_fields.items():
        default = "none" if found.default is None else f"`{found.default}`"
        assert documented[name.upper()].startswith(default), f"{name}: {documented[name.upper()]}"


def options() -> Iterator[tuple[str, str, str]]:
    """Every command of ours with each of its options: module, command, option (empty: the command itself)."""
    for name, module in (("pipelines", pipelines.__main__), ("votes", votes.__main__)):
        group: Any = typer.main.get_command(module.app)
        for command, found in group.commands.items():
            yield name, command, ""
            for parameter in found.params:
                if parameter.param_type_name == "option":
                    yield name, command, parameter.opts[0]


@pytest.mark.parametrize(("module", "command", "option"), list(options()))
def test_every_command_is_documented_with_its_options(module: str, command: str, option: str) -> None:
    page = text_of("docs/command-line.md")
    assert f"python -m {module} {command}" in page
    assert not option or f"`{option}`" in section(page, command), f"{command} {option}"


PRESETS: Mapping[str, Any] = {
    "looks": read_looks,
    "expressions": read_expressions,
    "model_sets": read_model_sets,
}


@pytest.mark.parametrize("kind", PRESETS)
def test_every_preset_is_documented_by_name_or_says_in_its_first_line_what_it_is(kind: str) -> None:
    page = text_of("docs/model-sets.md")
    for name in PRESETS[kind]():
        file = ROOT / "presets" / kind / f"{name}.toml"
        assert f"`{name}`" in page or file.read_text(encoding="utf-8").startswith("# "), (
            f"{file.name}: begin it with a comment line that says what it is"
        )


@pytest.mark.parametrize(("kind", "intro"), [("looks", "Looks ("), ("expressions", "Expressions (")])
def test_no_look_and_no_expression_is_documented_that_is_gone(kind: str, intro: str) -> None:
    page = text_of("docs/model-sets.md")
    sentence = page[page.index(intro) + len(intro) :].split(":", 1)[1].split(".")[0].split(";")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) <= set(PRESETS[kind]())


def test_no_model_set_is_documented_that_is_gone() -> None:
    named = [re.match(r"`([\w-]+)`", cells[0]) for cells in rows(text_of("docs/model-sets.md"))]
    assert {found[1] for found in named if found} <= set(read_model_sets())


@pytest.mark.parametrize("language", sorted(read_words().tables))
def test_every_language_says_in_its_first_line_which_it_is(language: str) -> None:
    assert text_of(f"presets/words/{language}.toml").startswith("# ")


def paths(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Address and method of each route."""
    for route in routes:
        if isinstance(route, Mount):
            yield route.path, "GET"
        elif isinstance(route, Route):
            for method in sorted(set(route.methods or {"GET"}) - {"HEAD"}):
                yield route.path, method


def test_every_address_is_documented_with_its_methods_and_no_other(services: Services) -> None:
    paper: Any = object()
    # which has a page more than a laptop
    kiosk = replace(
        services, settings=Settings(mode="kiosk"), operator_auth=OperatorAuth("01234567"), paper=paper
    )
    offered = {*paths(app.plain_routes(kiosk)), (LOGIN, "POST")}
    documented = {
        (address, method)
        for cells in rows(text_of("docs/routes.md"))
        for address in re.findall(r"`(/[^`]*)`", cells[0])
        for method in cells[1].split(", ")
    }
    assert documented == offered


def test_the_readmes_figures_are_those_of_the_page_that_has_them_all() -> None:
    measured = text_of("docs/measured.md")
    for what, result in (cells for cells in rows(section(body(ROOT / "README.md"), "Measured"))):
        for figure in re.findall(r"\d[\d.,]*\d|\d", result):
            assert figure in measured, f"{what}: {figure}"


# ---- one version, and what runs the checks


def test_the_version_stands_in_one_place() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", version())
    released = re.findall(r"^## \[(\d[\w.]*)\] - \d{4}-\d\d-\d\d$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert released[0] == version()  # what is newest has a section
    states_it = re.compile(rf"""^.*["'>]v?{re.escape(version())}["'<].*$""", re.MULTILINE)
    for path in [
        *ROOT.glob("*.py"),
        *ROOT.glob("*/*.py"),
        *ROOT.glob("pages/**/*.html"),
        *ROOT.glob("*.toml"),
    ]:
        if path.name != "pyproject.toml" and path.parent.name != "tests":
            stated = states_it.search(path.read_text(encoding="utf-8"))
            assert not stated, f"{path.name}: {stated[0]}"
    assert "__version__" not in {
        target.id
        for path in ROOT.glob("*/__init__.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def test_the_builder_runs_the_same_script_as_everybody() -> None:
    workflow = yaml.safe_load(text_of(".github/workflows/test.yml"))
    runs = {
        name: [step["run"] for step in job["steps"] if "run" in step]
        for name, job in workflow["jobs"].items()
    }
    assert runs == {"test": [".ci/run"], "audit": [".ci/audit"]}
    for (script,) in runs.values():
        assert (ROOT / script).stat().st_mode & 0o111, script


def test_the_hooks_are_local_and_lint_what_make_lints() -> None:
    found = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"]
    assert [place["repo"] for place in found] == ["local"]
    makefile = text_of("Makefile")
    for hook in found[0]["hooks"]:
        assert hook["entry"].replace(".venv/bin", "$(BIN)") in makefile, hook["id"]


def test_the_formatter_is_pinned_once_for_all() -> None:
    pinned = [
        line.split()[0] for line in text_of("requirements-dev.txt").splitlines() if line.startswith("deno")
    ]
    assert pinned == [line for line in text_of("constraints.txt").splitlines() if line.startswith("deno")]
    assert tomllib.loads(text_of("pyproject.toml"))["tool"]["ruff"]["line-length"] == 110
