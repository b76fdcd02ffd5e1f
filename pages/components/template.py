"""A part of ours inside Gradio: a template, a script, and a value that Gradio carries between them.

Words that a visitor reads are a property of their own. A template says them once, in the elements marked
`data-say`, `data-say-label` or `data-say-alt`; where the property changes, `words.js` changes these only.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import gradio as gr

from pages.markup import render

FOLDER = Path(__file__).parent
SHARED = ("words", "drawn")  # what the scripts of all parts may use


def component(
    name: str,
    value: str,
    /,
    words: Mapping[str, str] | None = None,
    visible: bool = True,
    classes: str = "",
    **given: object,
) -> gr.HTML:
    """`templates/components/NAME.html` with these words, brought to life by NAME.js where there is one."""
    spoken = dict(words or {})
    return gr.HTML(
        value,
        html_template=literal(render(f"components/{name}.html", words=spoken, **given)),
        js_on_load="".join(map(_script, (*SHARED, name))),
        apply_default_css=False,
        visible=visible,
        elem_classes=classes.split(),
        words=spoken,
    )


@cache
def _script(name: str) -> str:
    """None for a part that only shows words."""
    script = FOLDER / f"{name}.js"
    return script.read_text(encoding="utf-8") if script.exists() else ""


def literal(html: str) -> str:
    """Gradio reads a template twice, as Handlebars and as a JavaScript literal: neither may find work."""
    return str(html).translate({ord(sign): f"&#{ord(sign)};" for sign in "\\`${}"})
