"""Two pictures of one crop, and a line that wipes between them. No events: it is only looked at."""

import gradio as gr

from pages.components.template import component


def wipe(left: str, right: str, left_tag: str, right_tag: str, label: str, spoken: str) -> gr.HTML:
    """`left` and `right` are addresses; `spoken` says where the line is, with {p} for the left's share.

    It moves slowly by itself until somebody touches it. The left picture is shown alone until the right one
    is there, or where it never comes: the script asks again as long as the answer is 202.
    """
    words = {"left": left_tag, "right": right_tag, "label": label, "spoken": spoken}
    return component("wipe", "", words, classes="wipe-part", left=left, right=right)
