"""The camera: mirrored preview, countdown, up to four shots. Event: `done`, which carries no data.

The value is JSON from the server: `{"ticket": str, "shots": [{"id", "url"}], "limit": bytes a file}`.
Shots and uploads go to `/selfies` with the ticket; what was taken, the server knows. The file is not
mirrored, and holds no more than the preview showed. Where hints are given, small frames of the preview go to
`/hints` before the shot, never two at a time.
"""

from collections.abc import Sequence

import gradio as gr

from pages.components.template import component
from pipelines.selfie.hints import LONGEST_SIDE, Hint
from words import Say

ACCEPT = "image/jpeg,image/png,image/webp,image/heic,image/heif,.heic"
SPOKEN = (  # what template and script say
    *("live", "title", "example"),
    *("hint", "count", "calm", "more", "shutter", "use", "use_many", "upload", "sending", "lost"),
    *("asking", "denied", "none", "insecure", "busy", "remove", "selfie", "again", "full", "nth", "other"),
)
FAULTS = dict.fromkeys(("asking", "denied", "none", "insecure", "busy"), "fault")  # no visitor's to mend
MARKS = {"i": "{i}", "n": "{n}"}  # that the script fills in
HINTS = tuple(f"hint_{hint}" for hint in Hint if hint)


def camera(
    say: Say, samples: Sequence[tuple[str, str]], frames: int, hints: bool, is_kiosk: bool = False
) -> gr.HTML:
    """The component; `samples` are names and titles of faces to try it with, `frames` how many shots.

    On a kiosk photos come from its camera only, and visitors choose no other one.
    """
    keys = {key: key for key in (*SPOKEN, *HINTS)} | (FAULTS if is_kiosk else {})
    words = {name: say(f"camera.{key}", **MARKS) for name, key in keys.items()} | {"stop": say("making.stop")}
    return component(
        "camera",
        "{}",
        words | {f"sample {name}": title for name, title in samples},
        classes="camera-part",
        is_kiosk=is_kiosk,
        samples=samples,
        frames=frames,
        hint_side=LONGEST_SIDE if hints else 0,
        accept=ACCEPT,
    )
