"""HTML stands in templates, which escape what they are given; every scene has one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from pages import markup
from votes.rounds import Scene

PAGES = Path(markup.__file__).parent
TAG = re.compile(r"</|(?<!\?P)<[a-zA-Z!]")  # not a named group of a pattern
MODULES = sorted(PAGES.rglob("*.py"))


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


def test_every_scene_has_a_template_and_every_template_is_well_formed() -> None:
    templates = markup.TEMPLATES.list_templates()
    assert [scene.value for scene in Scene if f"stage/{scene.value}.html" not in templates] == []
    for name in templates:
        markup.TEMPLATES.get_template(name)


def test_a_value_is_escaped_and_a_missing_one_is_an_error() -> None:
    assert "<b>" not in markup.render("stage/absent.html", sentence="<b>")
    with pytest.raises(UndefinedError, match="sentence"):
        markup.render("stage/absent.html")


def test_a_line_break_beside_a_tag_is_no_space_of_the_page_but_a_texts_own_is() -> None:
    lines = "<p>\n  {{ a }} <b>b</b>\n  {% if a %}\n    <i>c\n d</i>\n  {% endif %}\n</p>\n"
    assert markup.TEMPLATES.from_string(lines).render(a="x") == "<p>x <b>b</b><i>c\n d</i></p>"
