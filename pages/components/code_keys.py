"""The letters of a withdrawal code as keys to tap, where no keyboard is. Event: `submit`, by Enter.

The value is what was typed, a string; what arrives is the browser's word. A real keyboard types into the same
field; the system's own on-screen keyboard stays away.
"""

import gradio as gr

from booth.records import WITHDRAWAL_LENGTH, WITHDRAWAL_LETTERS
from pages.components.template import component
from words import Say


def code_keys(say: Say) -> gr.HTML:
    """The component."""
    words = {"code": say("withdraw.code"), "erase": say("withdraw.erase")}
    return component(
        "code_keys", "", words, classes="keys-part", letters=WITHDRAWAL_LETTERS, length=WITHDRAWAL_LENGTH
    )
