"""Choosing and sending selfies. Events: `sent` (files went to `/selfies`), `cleared` (start again).

Neither event carries data: what was taken, the server knows. `markup` is the component's value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import gradio as gr

HERE = Path(__file__).parent
ACCEPT = "image/jpeg,image/png,image/webp,image/heic,image/heif,.heic"


@dataclass(frozen=True)
class SelfieWords:
    """The sentences of the component."""

    upload: str
    more: str
    clear: str
    sending: str
    lost: str
    picture: str  # alternative text, with {i}


def selfies() -> gr.HTML:
    """The component; its value is made by `markup`."""
    script = (HERE / "selfies.js").read_text(encoding="utf-8")
    return gr.HTML("", js_on_load=script, apply_default_css=False, elem_classes=["selfies-part"])


def markup(
    ticket: str, pictures: Sequence[str], notices: Sequence[str], words: SelfieWords, limit: int, frames: int
) -> str:
    """The sheet of selfies: `pictures` are data URLs, `notices` sentences, `limit` bytes a file."""
    prints = [
        f'<li><img src="{picture}" alt="{escape(words.picture.format(i=i))}"></li>'
        for i, picture in enumerate(pictures, 1)
    ]
    prints += ['<li class="empty"></li>'] * (frames - len(prints))
    told = "".join(f'<p class="notice" role="alert">{escape(notice)}</p>' for notice in notices)
    clear = f'<button type="button" class="quiet" data-act="clear">{escape(words.clear)}</button>'
    return f"""<div class="selfies" data-ticket="{escape(ticket)}" data-limit="{limit}">
<ol class="sheet">{"".join(prints)}</ol>{told}
<p class="row"><label class="btn"><input type="file" multiple accept="{ACCEPT}">
<span>{escape(words.more if pictures else words.upload)}</span></label>{clear if pictures else ""}</p>
<p class="note" role="status" data-sending="{escape(words.sending)}" data-lost="{escape(words.lost)}"></p>
</div>"""
