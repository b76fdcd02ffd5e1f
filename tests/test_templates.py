"""HTML stands in templates, which escape what they are given; every scene has one."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from pages import markup
from votes.rounds import SCENES

PAGES = Path(markup.__file__).parent
TAG = re.compile(r"</|(?<!\?P)<[a-zA-Z!]")  # not a named group of a pattern
READ_OUT = ("alt", "aria-label", "title", "placeholder", "aria-valuetext")
MODULES = sorted(PAGES.rglob("*.py"))
SPEAKING = [path for path in MODULES if path.name != "health.py"]  # which speaks to monitors


def strings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Every text of a module, those in f-strings too, but for what only describes it."""
    described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
            yield node


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PAGES).as_posix())
def test_no_module_of_the_pages_writes_html_or_escapes_it_itself(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    assert [text.value for text in strings(tree) if TAG.search(str(text.value))] == []
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert "html" not in imported | names


class Texts(HTMLParser):
    """What a person reads of a page: text, and the attributes that are read out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._within = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        self.found += [value or "" for name, value in attrs if name in READ_OUT]

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within not in ("script", "style"):
            self.found.append(data)


def own_texts(template: str) -> list[str]:
    """The words that a template has of its own."""
    tokens = markup.TEMPLATES.lex((PAGES / "templates" / template).read_text(encoding="utf-8"))
    page = "".join(value for _, kind, value in tokens if kind == "data")
    return [text.strip() for text in Texts(page).found if re.search(r"[^\W\d_]", text)]


def test_no_template_has_a_sentence_of_its_own() -> None:
    """They stand in `presets/words`; the name of the project is the same in all languages."""
    found = {text.strip(" ·") for name in markup.TEMPLATES.list_templates() for text in own_texts(name)}
    assert found <= {"Face Value"}


def test_no_script_has_a_sentence_of_its_own() -> None:
    """Two words in a row that begin with a capital and end a text, or a text that a reader would be shown."""
    scripts = [path for folder in ("static", "components", "phone") for path in (PAGES / folder).glob("*.js")]
    assert len(scripts) > 10
    sentence = re.compile(r"""["'`]([A-Z][a-z]+(?: [\w’'-]+)+[.?!:…]?)["'`]""")
    for path in scripts:
        code = re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert set(sentence.findall(code)) <= {"Face Value"}, path.name


@pytest.mark.parametrize("module", SPEAKING, ids=lambda path: path.relative_to(PAGES).as_posix())
def test_no_module_of_the_pages_has_a_sentence_for_a_visitor(module: Path) -> None:
    """But for what the log is told: a `ChoiceError` is shown by an id only."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for_log = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and is_for_log(node)]
    logged = {id(part) for call in for_log for part in ast.walk(call)}
    said = [str(text.value) for text in strings(tree) if id(text) not in logged]
    assert [text for text in said if re.fullmatch(r"[A-Z][\w’'-]*(?: [\w’'-]+){2,}.*[.?!:]", text)] == []


def is_for_log(call: ast.Call) -> bool:
    """An error of ours that no visitor reads, a line of the log, or of the terminal where it was started."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name.endswith("Error") or name in ("warning", "error", "info", "write", "rule", "Field")


def test_every_scene_has_a_template_and_every_template_is_well_formed() -> None:
    templates = markup.TEMPLATES.list_templates()
    assert [scene.value for scene in SCENES if f"stage/{scene.value}.html" not in templates] == []
    for name in templates:
        markup.TEMPLATES.get_template(name)


def test_a_value_is_escaped_and_a_missing_one_is_an_error() -> None:
    assert "<b>" not in markup.render("stage/absent.html", sentence="<b>")
    with pytest.raises(UndefinedError, match="sentence"):
        markup.render("stage/absent.html")


def test_a_line_break_beside_a_tag_is_no_space_of_the_page_but_a_texts_own_is() -> None:
    lines = "<p>\n  {{ a }} <b>b</b>\n  {% if a %}\n    <i>c\n d</i>\n  {% endif %}\n</p>\n"
    assert markup.TEMPLATES.from_string(lines).render(a="x") == "<p>x <b>b</b><i>c\n d</i></p>"
