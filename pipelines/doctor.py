"""What is on this machine, in sentences; and a sheet that shows what the scales do."""

import importlib.metadata
import platform
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from commission.record import commission_state
from errors import NotDownloaded
from pipelines.arrays import Pixels
from pipelines.draw.fleet import Fleet
from pipelines.draw.generate import Generator
from pipelines.draw.machine import find_device, locate
from pipelines.draw.model_set import read_model_sets
from pipelines.look import read_looks
from pipelines.order import Order
from pipelines.plate.studio import Studio
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.samples import sample
from pipelines.sitting import Portrait, Setup, draw_portraits, find_faces, prepare
from pipelines.tonight import look_around
from settings import Settings
from words import read_words

PACKAGES = ("torch", "diffusers", "transformers", "mediapipe", "controlnet-aux", "gradio", "numpy", "pillow")
POSE_SCALES = (0.0, 0.45, 0.9, 1.35)
IDENTITY_SCALES = (0.0, 0.35, 0.7, 1.0)
SHEET_CELL = (256, 320)  # width, height in px
CAPTION_PX = 28
LOOK = "grey"
ENOUGH_CONNECTIONS = 4096  # two of each of a thousand phones, their pictures, and as much again


@dataclass(frozen=True, eq=False)
class Example:
    """Whom every portrait of this file shows, prepared once."""

    faces: tuple[Face, ...]
    setup: Setup


def findings(settings: Settings, generator: Generator, why: str) -> Iterator[str]:
    """Line by line, so that a terminal shows them as they come; the last one draws a portrait.

    `why` says why the generator's set was chosen.
    """
    yield f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    device, say = find_device(settings.device), read_words().say
    yield f"Models run on {device.name} with {device.gigabytes:.0f} GB"
    yield connection_hint()
    for finding in look_around(settings):
        yield say(f"tonight.{finding.key}", **finding.values)
    for model_set in read_model_sets().values():
        try:
            locate(model_set)
            fits = model_set.plan(device.kind, device.gigabytes)
            yield f"{model_set.name}: on this machine" + ("" if fits else f", but needs {model_set.least}")
            found = commission_state(model_set, settings.data, settings.device)
            yield say(f"commission.{found.standing.value}", **found.values(model_set.name))
        except NotDownloaded as error:
            yield f"{model_set.name}: {error}"
    yield why
    generator.load()
    if isinstance(generator, Fleet):
        key, values = generator.sentence
        yield say(key, **values)
    sitter = example(generator)
    began = time.perf_counter()
    draw_one(generator, sitter, pose=None, identity=None)
    yield f"One portrait with {generator.model_set.title}: {time.perf_counter() - began:.1f} s after loading"


def connection_hint() -> str:
    """How many phones and screens fit, by the system's limit of open files."""
    allowed = ENOUGH_CONNECTIONS
    with suppress(ImportError):  # Windows has no such limit
        import resource

        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if allowed == -1 or allowed >= ENOUGH_CONNECTIONS:  # -1: no limit
        return f"{ENOUGH_CONNECTIONS} connections may be open at once, enough for a full room"
    return (
        f"{allowed} connections may be open at once; a full room needs {ENOUGH_CONNECTIONS}: "
        "LimitNOFILE= of the systemd unit, or ulimit -Hn"
    )


def contact_sheet(generator: Generator) -> Pixels:
    """One sitter and seed over pose scales (down) and identity scales (across): uint8 (H, W, 3) sRGB.

    A set without an identity adapter gets one column, a set without a pose ControlNet one row.
    """
    sitter, model_set = example(generator), generator.model_set
    heard = model_set.capabilities
    rows = []
    for pose in POSE_SCALES if "pose" in heard else (None,):
        cells = []
        for identity in IDENTITY_SCALES if "identity" in heard else (None,):
            scales = {"pose": pose, "identity": identity}
            words = ", ".join(f"{name} {scale:g}" for name, scale in scales.items() if scale is not None)
            picture = draw_one(generator, sitter, pose, identity).image
            cells.append(caption_print(picture, words or model_set.title))
        rows.append(np.concatenate(cells, axis=1))
    return np.concatenate(rows, axis=0)


def draw_one(generator: Generator, sitter: Example, pose: float | None, identity: float | None) -> Portrait:
    """One portrait of the sitter, seed 0, at these scales (None: the look's)."""
    look = read_looks()[LOOK]
    look = look if pose is None else look.model_copy(update={"pose": pose})
    order = Order(look, variations=1, identity=identity)
    events = draw_portraits(order, sitter.faces, [sitter.setup], generator)
    return next(event for event in events if isinstance(event, Portrait))


def example(generator: Generator) -> Example:
    """Eileen Collins (NASA, public domain)."""
    order, model_set = Order(read_looks()[LOOK], variations=1), generator.model_set
    with FaceFinder() as finder, Studio() as studio:
        faces = find_faces([sample("astronaut")], finder)
        (setup,) = prepare(faces, order, studio, model_set)
        return Example(faces, setup)


def caption_print(picture: Pixels, words: str) -> Pixels:
    """A print with its caption below, `SHEET_CELL` and a line of text high."""
    width, height = SHEET_CELL
    cell = Image.new("RGB", (width, height + CAPTION_PX), "white")
    cell.paste(Image.fromarray(cv2.resize(picture, SHEET_CELL, interpolation=cv2.INTER_AREA)))
    ImageDraw.Draw(cell).text((8, height + 6), words, fill="black", font=ImageFont.load_default(14))
    return np.asarray(cell)
