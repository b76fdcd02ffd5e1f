"""What a signed-in visitor is told of a lent GPU before anything is drawn.

Only on a Space that lends one and has signing in switched on (`hf_oauth` in the README's head); elsewhere
there is neither button nor line. Nothing is kept: Gradio holds the token in a signed cookie of its own.
"""

import gradio as gr

from booth.quota import seconds_left
from pages import markup
from pages.booth.screens import Screens
from services import Services


def sign_in(services: Services) -> None:
    """Gradio's button, which signs in and out."""
    gr.LoginButton(
        services.say("lent.sign_in"),
        services.say("lent.sign_out", name="{}"),
        variant="secondary",
        icon=None,
        elem_classes=["plain"],
    )


def wire_lent(page: gr.Blocks, on: Screens, services: Services) -> None:
    """The line is asked for beside the screen, which waits for nobody; signing in reloads the page."""

    def told(token: gr.OAuthToken | None) -> dict[gr.HTML, str]:
        left = seconds_left(token.token) if token else None
        return {on.look.lent: "" if left is None else markup.note(services.say("lent.left", s=left))}

    for event in (page.load, on.camera.camera.done, on.result.quiet["again"].click):
        event(told, outputs=on.look.lent, queue=False, show_progress="hidden")
