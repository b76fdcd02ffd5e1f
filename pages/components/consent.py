"""Native checkboxes for consent, never ticked in advance. Event: `input`.

The value is JSON, `{"agreed": bool, "minor": bool}`, and what arrives is the browser's word: the server
checks it again. Whenever the server sets the value, the boxes follow.
"""

import json
from typing import NamedTuple

import gradio as gr

from pages.components.template import component

UNTICKED = json.dumps({"agreed": False, "minor": False})
TICKED = json.dumps({"agreed": True, "minor": False})  # what somebody ticked before, shown again


class Tick(NamedTuple):
    """One native checkbox."""

    name: str
    sentence: str
    classes: str


def consent(sentence: str, minor: str) -> gr.HTML:
    """The visitor's own sentence, and a grown-up's for the young."""
    ticks = Tick("agreed", sentence, "tick"), Tick("minor", minor, "tick second")
    return _ticks(*ticks)


def tick(sentence: str) -> gr.HTML:
    """One sentence to agree to."""
    return _ticks(Tick("agreed", sentence, "tick second"))


def _ticks(*ticks: Tick) -> gr.HTML:
    return component("consent", UNTICKED, {tick.name: tick.sentence for tick in ticks}, ticks=ticks)


def is_ticked(ticks: str) -> bool:
    """Whether the box was ticked: exactly true, in JSON. Whatever else arrives is a no."""
    return _value(ticks).get("agreed") is True


def is_minor(ticks: str) -> bool:
    """Whether the second box was: it protects, so whatever else than a plain no arrives is a yes."""
    return _value(ticks).get("minor", False) is not False


def _value(ticks: str) -> dict[str, object]:
    try:
        value = json.loads(ticks)
    except (TypeError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
