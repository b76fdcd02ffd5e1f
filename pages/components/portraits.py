"""The photograph, one portrait, a line to wipe between them; a contact sheet chooses. Event: `input`.

The value is JSON from the server: `{"photograph": print, "portraits": [print, ...], "chosen": 0}`, a print
being `{"url", "caption", "alt"}`. A portrait may have `photograph`, the address of the photograph in its own
light; `tone`, that of the same portrait with the photograph's skin tone, or empty; and `misfire`. Choosing
another changes `chosen` only; what comes back is the browser's word. On the screen around it
`[data-portrait]` is shown with the portrait of that number, `.needs-tone` and `.needs-misfire` with those
that have it.
"""

import gradio as gr

from pages import markup
from pages.components.template import component


def portraits(legend: str, label: str, spoken: str) -> gr.HTML:
    """Empty until the server sets the value.

    `legend` names the choice, `label` the line; `spoken` says where that is, {p} for the photograph's share.
    """
    return component("portraits", "{}", classes="portraits-part", legend=legend, label=label, spoken=spoken)


def skin_toggle(words: str, note: str) -> gr.HTML:
    """A tick that lays the other skin tone over the large portrait of the same screen."""
    inside = markup.render("components/skin_toggle.html", words=words, note=note)
    return gr.HTML(str(inside), apply_default_css=False)
