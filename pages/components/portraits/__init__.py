"""The photograph and one portrait side by side, large; a contact sheet chooses which. Event: `input`.

The value is JSON from the server: `{"photograph": print, "portraits": [print, ...], "chosen": 0}`, each print
`{"url", "caption", "alt"}`. Choosing another changes `chosen` only; what comes back is the browser's word.
"""

from html import escape
from pathlib import Path

import gradio as gr

from pages import markup
from pages.components import literal

FRAME = (
    '<label><input type="radio" name="portrait" autocomplete="off">'
    f'<span class="pic"><img alt="">{markup.ring()}</span><span></span></label>'
)
SCRIPT = Path(__file__).parent / "portraits.js"


def portraits(legend: str) -> gr.HTML:
    """Empty until the server sets the value; `legend` names the choice."""
    inside = (
        f'<div class="pair">{_print("photograph")}{_print("generated")}</div>'
        f'<fieldset class="frames strip" hidden><legend class="hidden-text">{escape(legend)}</legend>'
        f"<div></div></fieldset><template>{FRAME}</template>"
    )
    return gr.HTML(
        "{}",
        html_template=literal(inside),
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_classes=["portraits-part"],
    )


def _print(kind: markup.Sign) -> str:
    return (
        f'<figure class="print"><div class="pic"><img alt=""></div>'
        f"<figcaption>{markup.sign(kind)}<span></span></figcaption></figure>"
    )
