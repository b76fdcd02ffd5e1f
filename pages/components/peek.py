"""A button that shows how the room answered only while it is held: host screens get mirrored.

It asks the route itself, so that the split is in no value of the page. No event.
"""

import gradio as gr

from pages.components.template import component


def peek(label: str, split: str, note: str) -> gr.HTML:
    """`split` has the marks {photograph} and {generated}."""
    return component("peek", "", label=label, split=split, note=note)
