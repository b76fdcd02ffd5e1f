"""The photograph, one portrait, a line to wipe between them; a contact sheet chooses. Event: `input`.

The value is JSON from the server: `{"photograph": print, "portraits": [print, ...], "chosen": 0}`, a print
being `{"url", "caption", "alt"}`. A portrait may have `photograph`, the address of the photograph in its own
light; `tone`, that of the same portrait with the photograph's skin tone, or empty; and `misfire`. Choosing
another changes `chosen` only; what comes back is the browser's word. On the screen around it
`[data-portrait]` is shown with the portrait of that number, `.needs-tone` and `.needs-misfire` with those
that have it.
"""

import gradio as gr

from pages.components.template import component
from words import Say


def portraits(say: Say, legend: str) -> gr.HTML:
    """Empty until the server sets the value. `legend` is the key of what names the choice."""
    words = {"legend": say(legend), "label": say("result.wipe"), "spoken": say("result.wiped", p="{p}")}
    return component("portraits", "{}", words, classes="portraits-part")


def skin_toggle(words: str, note: str) -> gr.HTML:
    """A tick that lays the other skin tone over the large portrait of the same screen."""
    return component("skin_toggle", "", {"tick": words, "note": note})
