"""Selfies and a portrait to an answer: would a face-recognition program take this for the sitter.

dlib's network (`dlib_face_recognition_resnet_model_v1`, in the public domain; Davis King 2017: 99.4 % on LFW)
makes 128 numbers of a face, and two faces are near or far. It hardly notices what people complain of, a
lighter skin or a narrower jaw; it notices a face blended with others. So its answer stands beside the
measures, and it is the program's answer: brothers come as near as two photos of one person.

A descriptor is a biometric template. It is made when the visitor asks, lives inside one call, and is in no
file, log, export or page.
"""

import math
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.arrays import Floats
from pipelines.measure.likeness import Level, Measure
from pipelines.mesh import LEFT_EYE, NOSE_BASE, RIGHT_EYE
from pipelines.selfie.face import Face

PACKAGE = "face_recognition_models"  # carries the file; it is found without an import, which would fail
NETWORK = "models/dlib_face_recognition_resnet_model_v1.dat"
# What dlib's own aligner would find, off by 0.03 pupil distances in the median and with the same distances
# between faces (140 portraits): outer and inner corners of both eyes, left one first, and the nose's base.
ALIGNED_BY = (LEFT_EYE.outer, LEFT_EYE.inner, RIGHT_EYE.outer, RIGHT_EYE.inner, NOSE_BASE)
# Distances of 297 pairs of official photos: half are nearer than the first, 99 % nearer than the second; of a
# thousand pairs of strangers one is nearer than that.
AS_ANOTHER_PHOTO, SAME_PERSON = 0.35, 0.54
UNIT = "distance"


class Recognizer:
    """Loads its network at the first question; one face at a time. Safe to share between threads."""

    def __init__(self, allowed: bool = True) -> None:
        """`allowed`: whether the operator lets anybody be recognised at all."""
        self._allowed = allowed
        self._lock = threading.Lock()
        self._dlib: Any = None
        self._network: Any = None

    @property
    def refusal(self) -> str:
        """The key of a sentence that says why it answers nothing; empty where it does."""
        if not self._allowed:
            return "likeness.recognition_off"
        return "" if network_file() and find_spec("dlib") else "likeness.recognition_missing"

    def answer(self, selfies: Sequence[Face], portrait: Face) -> Measure:
        """Whether the portrait is taken for the person of the selfies, by the nearest of them."""
        if self.refusal:
            return Measure("recognition", Level.NOT_MEASURED, self.refusal, unit=UNIT)
        distance = self.distance(selfies, portrait)
        if not math.isfinite(distance):
            return Measure("recognition", Level.NOT_MEASURED, "likeness.recognition_unseen", unit=UNIT)
        level = Level.UNCHANGED
        if distance >= AS_ANOTHER_PHOTO:
            level = Level.CLEARLY if distance >= SAME_PERSON else Level.A_LITTLE
        return Measure(
            "recognition",
            level,
            f"likeness.recognition_{level.replace(' ', '_')}",
            value=distance,
            unit=UNIT,
            pair=AS_ANOTHER_PHOTO,
        )

    def distance(self, selfies: Sequence[Face], portrait: Face) -> float:
        """Between the portrait and the nearest selfie; NaN where no face was measured."""
        drawn = self.descriptor(portrait)
        return min(
            (float(np.linalg.norm(drawn - self.descriptor(face))) for face in selfies), default=math.nan
        )

    def descriptor(self, face: Face) -> Floats:
        """128 numbers, NaN where no face was measured.

        For benches on public portraits; the product asks `answer`, which lets none out.
        """
        if not np.isfinite(face.landmarks).all():
            return np.full(128, np.nan)
        with self._lock:
            dlib = self._load_dlib()
            low, high = face.landmarks[:, :2].min(axis=0), face.landmarks[:, :2].max(axis=0)
            points = [
                dlib.point(*np.round(face.landmarks[point, :2]).astype(int).tolist()) for point in ALIGNED_BY
            ]
            box = dlib.rectangle(*np.round([*low, *high]).astype(int).tolist())
            seen = dlib.full_object_detection(box, dlib.points(points))
            pixels = np.ascontiguousarray(face.photo.pixels)
            return np.array(self._network.compute_face_descriptor(pixels, seen))

    def _load_dlib(self) -> Any:
        if self._network is None:
            import dlib

            self._dlib = dlib
            self._network = dlib.face_recognition_model_v1(str(network_file()))
        return self._dlib


def network_file() -> Path | None:
    """Where the network lies, if it is on this machine. Only this file of the package is ever opened."""
    found = find_spec(PACKAGE)
    for folder in (found.submodule_search_locations or ()) if found else ():
        if (file := Path(folder) / NETWORK).is_file():
            return file
    return None
