"""The ladder as one picture and one report: what `python -m pipelines ladder` writes and a page may show.

Pictures are uint8 (H, W, 3) sRGB. Nothing here reads a clock, so the same ladder gives the same bytes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.likeness import as_json
from pipelines.provenance import labelled
from pipelines.sitting import Order, Rung

Pixels = NDArray[np.uint8]
WIDEST = 512  # px of one picture: seven SDXL portraits side by side would be 6,000 px
GAP, GROUND = 8, 24  # px between pictures; grey value of the caption's strip


def strip(pictures: Sequence[tuple[Pixels, str]]) -> Pixels:
    """Pictures of one shape beside each other, each with its caption below, at the size of the smallest."""
    width = min(WIDEST, *(picture.shape[1] for picture, _ in pictures))
    height = round(width * pictures[0][0].shape[0] / pictures[0][0].shape[1])
    columns = []
    for picture, caption in pictures:
        same = picture.shape[:2] == (height, width)
        fitted = picture if same else cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        columns += [labelled(fitted.astype(np.uint8), caption)]
    gap = np.full((columns[0].shape[0], GAP, 3), GROUND, np.uint8)
    between = [part for column in columns for part in (column, gap)][:-1]
    return np.hstack(between)


def dial_of(order: Order) -> str:
    """How a step was asked for: `strength 0.45`, `strength 0.5, identity 0.55`."""
    dials = {"strength": order.strength, "identity": order.identity}
    return ", ".join(f"{name} {value:g}" for name, value in dials.items() if value is not None)


def rung_report(rung: Rung, say: Callable[..., str]) -> dict[str, Any]:
    """A step for `ladder.json`: the dials, the steps that ran, and what it changed of the plate, in words."""
    made = rung.portrait.rendering
    measures = list(rung.likeness.measures.values()) if rung.likeness else []
    if rung.recognition:
        measures.append(rung.recognition)
    return {
        "start": made.start,
        "strength": made.strength,
        "identity": rung.order.identity,
        "steps": {"requested": made.requested_steps, "executed": made.executed_steps},
        "face_found": rung.likeness is not None,
        "likeness": as_json(measures, say),
    }
