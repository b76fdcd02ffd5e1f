"""The photograph, one portrait, a line to wipe between them; a contact sheet chooses. Event: `input`.

The value is JSON from the server: `{"photograph": print, "portraits": [print, ...], "chosen": 0}`, each print
`{"url", "caption", "alt", "guarded", "misfire"}`; `guarded` is the address of the same with the photograph's
skin tone, or empty; `misfire` says whether the page's part for misfires is shown with it. Choosing another
changes `chosen` only; what comes back is the browser's word.
"""

from html import escape
from pathlib import Path

import gradio as gr

from pages import markup
from pages.components.template import literal
from pages.components.wipe import wiped

FRAME = (
    '<label><input type="radio" name="portrait" autocomplete="off">'
    f'<span class="pic"><img alt="">{markup.ring()}</span><span></span></label>'
)
SCRIPT = Path(__file__).parent / "portraits.js"


def portraits(legend: str, skin: str, label: str, spoken: str) -> gr.HTML:
    """Empty until the server sets the value.

    `legend` names the choice, `skin` the tick for the other skin tone, `label` the line; `spoken` says where
    that is, {p} being the photograph's share.
    """
    captions = "".join(f"<span>{markup.sign(kind)}<b></b></span>" for kind in ("photograph", "generated"))
    inside = (
        f'<figure class="large">{wiped("", "", label, spoken)}<figcaption>{captions}</figcaption>'
        '<label class="skin" hidden><input type="checkbox" autocomplete="off">'
        f"<span>{escape(skin)}</span></label></figure>"
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
