"""A part of ours inside Gradio: a template, a script, and a value that Gradio carries between them."""

from pathlib import Path

import gradio as gr

from pages.markup import render

FOLDER = Path(__file__).parent


def component(name: str, value: str, /, visible: bool = True, classes: str = "", **words: object) -> gr.HTML:
    """`templates/components/NAME.html` with these words, brought to life by NAME.js."""
    return gr.HTML(
        value,
        html_template=literal(render(f"components/{name}.html", **words)),
        js_on_load=(FOLDER / f"{name}.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        visible=visible,
        elem_classes=classes.split(),
    )


def literal(html: str) -> str:
    """Gradio reads a template twice, as Handlebars and as a JavaScript literal: neither may find work."""
    return str(html).translate({ord(sign): f"&#{ord(sign)};" for sign in "\\`${}"})
