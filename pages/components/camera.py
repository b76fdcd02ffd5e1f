"""The camera: mirrored preview, countdown, up to four shots. Event: `done`, which carries no data.

The value is JSON from the server: `{"ticket": str, "shots": [{"id", "url"}], "limit": bytes a file}`.
Shots and uploads go to `/selfies` with the ticket; what was taken, the server knows. The file is not
mirrored, and holds no more than the preview showed.
"""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import gradio as gr

from pages.components.template import literal
from words import Words

SCRIPT = Path(__file__).parent / "camera.js"
ACCEPT = "image/jpeg,image/png,image/webp,image/heic,image/heif,.heic"
SAID = (
    *("hint", "count", "calm", "more", "shutter", "use", "use_many", "upload", "sending", "lost"),
    *("asking", "denied", "none", "insecure", "busy", "remove", "selfie", "again", "full", "nth"),
)
OVAL = """<svg class="oval" viewBox="0 0 640 800" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
<path d="M-2000-2000H2640V2800H-2000zM320 190a152 205 0 1 0 .1 0z" fill="#000" fill-rule="evenodd"
opacity=".5"/><ellipse cx="320" cy="395" rx="152" ry="205" fill="none" stroke="#fff" stroke-width="4"/>
</svg>"""
ARROW = """<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 20V5M6 11l6-6 6 6" fill="none"
stroke="currentColor" stroke-width="2.4"/></svg>"""
RIM = """<svg viewBox="0 0 200 100" aria-hidden="true">
<path d="M8 0a92 92 0 0 0 184 0" fill="none" stroke="#bbb" stroke-width="5"/>
<path class="rim" d="M8 0a92 92 0 0 0 184 0" fill="none" pathLength="1" stroke-width="7"/></svg>"""


def camera(words: Words, samples: Sequence[tuple[str, str]], frames: int) -> gr.HTML:
    """The component; `samples` are names and titles of faces to try it with, `frames` how many shots."""
    said = {key: words.template(f"camera.{key}") for key in SAID}
    inside = f"""<div class="booth-camera" data-said="{escape(json.dumps(said))}" data-frames="{frames}">
<div class="see"><video playsinline muted aria-label="{escape(words.say("camera.live"))}"></video>{OVAL}
<p class="hint"><span>{escape(said["hint"])}</span></p>
<p class="trouble" role="alert" hidden></p>
<div class="lens">{ARROW}</div>
<div class="count" hidden aria-hidden="true">{RIM}<b></b></div>
<span class="aloud hidden-text" role="timer" aria-live="assertive"></span></div>
<div class="say"><h1 class="hidden-text" tabindex="-1">{escape(words.say("camera.title"))}</h1>
<section class="verdict" role="status"></section>
<ol class="shots sheet"></ol>
<div class="fire"><label class="quiet upload"><input type="file" multiple accept="{ACCEPT}">
<span>{escape(said["upload"])}</span></label>
<button type="button" class="shutter" aria-label="{escape(said["shutter"])}"></button>
<button type="button" class="btn use" hidden></button></div>
<button type="button" class="btn stop" hidden>{escape(words.say("making.stop"))}</button>
<p class="samples"><span>{escape(words.say("camera.example"))}</span>{_samples(samples)}</p></div></div>"""
    return gr.HTML(
        "{}",
        html_template=literal(inside),
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_classes=["camera-part"],
    )


def _samples(samples: Sequence[tuple[str, str]]) -> str:
    return "".join(
        f'<button type="button" class="quiet" data-sample="{escape(name)}">{escape(title)}</button>'
        for name, title in samples
    )
