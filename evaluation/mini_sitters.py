"""One held-out sitter drawn in every way that `evaluation.mini` judges, and what each way came to.

`Lab` holds what all sitters share; `Lab.judge` returns measures by name, each a list with one number a
picture. Faces are looked for in pictures enlarged twice: MediaPipe wants more than 55 px between the pupils.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from errors import PhotoError
from evaluation import mini_judges as judges
from pipelines.arrays import Floats, Pixels, Points
from pipelines.draw.generate import Generator, Rendering
from pipelines.ladder import RUNGS
from pipelines.look import read_expressions, read_looks
from pipelines.measure.recognition import Recognizer
from pipelines.order import Order
from pipelines.plate.expression import lips_meet, mouth_change
from pipelines.plate.matte import Cutout
from pipelines.plate.shot import Shot
from pipelines.plate.studio import Studio
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.photo import Photo, open_photo
from pipelines.sitting import (
    PLATE_SIZE,
    Portrait,
    Setup,
    find_faces,
    finish,
    on_canvas,
    request_for,
    set_up,
    set_ups,
)

ENLARGE, SMALL_PX = 2, 512  # pictures less wide are enlarged before a face is looked for
SEEDS = 2  # portraits a sitter at the set's own strength
LEAST_MOVE = 0.04  # of the mouth's width: less is not seen


@dataclass(frozen=True, eq=False)
class KnownFaces:
    """The training faces, to find copies by: descriptors (n, 128) and aligned crops (n, k)."""

    files: tuple[str, ...]
    descriptors: Floats
    crops: Floats


@dataclass(eq=False)
class Seen:
    """A picture, its face, and what is compared of it."""

    pixels: Pixels
    face: Face
    points: Points  # (478, 2) px of the picture
    descriptor: Floats


@dataclass(eq=False)
class SitterFindings:
    """What one sitter gave."""

    measures: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cues: list[tuple[Floats, Floats]] = field(default_factory=list)  # of round trip and portrait
    pictures: dict[str, Pixels] = field(default_factory=dict)  # to be looked at


class MiniLab:
    """The generator and the measuring instruments."""

    def __init__(self, generator: Generator, finder: FaceFinder, studio: Studio, known: KnownFaces) -> None:
        self.generator, self.finder, self.studio, self.known = generator, finder, studio, known
        self.recognizer = Recognizer()
        self.looks = list(read_looks().values())
        self.words = read_expressions()

    def see(self, pixels: Pixels) -> Seen | None:
        """The one face in a picture, or None."""
        enlarge = ENLARGE if pixels.shape[1] < SMALL_PX else 1
        size = pixels.shape[1] * enlarge, pixels.shape[0] * enlarge
        large = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC) if enlarge > 1 else pixels.copy()
        try:
            face = self.finder.find(Photo(np.asarray(large, np.uint8)))
        except PhotoError:
            return None
        if not np.isfinite(face.landmarks).all():
            return None
        return Seen(pixels, face, judges.points_of(face, enlarge), self.recognizer.descriptor(face))

    def nearness(self, picture: Seen, own: Floats) -> tuple[float, float]:
        """How far from the sitter by recognition, and how far the nearest training face is."""
        others = np.linalg.norm(self.known.descriptors - picture.descriptor, axis=1)
        return float(np.linalg.norm(picture.descriptor - own)), float(others.min())

    def set_up(self, cutout: Cutout, order: Order) -> list[Setup]:
        """A setup for each portrait of an order."""
        return list(set_ups(cutout, order, self.generator.model_set))

    def draw(
        self, order: Order, face: Face, setups: list[Setup], seeds: tuple[int, ...] | None = None
    ) -> list[Portrait]:
        """The finished portraits of an order, as the booth makes them; `seeds` replaces the order's."""
        model_set = self.generator.model_set
        request = request_for(order, [face], setups, model_set)
        return [
            finish(event, setups[event.index], order.look, model_set)
            for event in self.generator.draw(replace(request, seeds=seeds or request.seeds))
            if isinstance(event, Rendering)
        ]

    def judge(self, path: Path, index: int) -> SitterFindings:
        """All measures of one sitter. Raises `PhotoError` for a photograph that would be taken again."""
        look = self.looks[index % len(self.looks)]
        (face,) = find_faces([open_photo(path)], self.finder)
        cutout = self.studio.cut_out(face)
        order = Order(look, variations=SEEDS, seed=10 * index)
        setups = self.set_up(cutout, order)
        asked = [one for setup in setups if (one := self.see(setup.asked))]
        if len(asked) < SEEDS:
            raise PhotoError("face.none")
        found, own = SitterFindings(), self.recognizer.descriptor(face)
        found.pictures["plate"] = setups[0].plate.pixels
        portraits = self.draw(order, face, setups)
        self._round_trip(found, portraits[0], asked[0], own)
        self._portraits(found, portraits, asked, own)
        self._ladder(found, replace(order, variations=1), face, setups[0], own)
        self._variation(found, replace(order, variations=2), face, cutout, setups)
        self._expressions(found, replace(order, variations=1), face, cutout, asked[0])
        return found

    def _round_trip(self, found: SitterFindings, portrait: Portrait, asked: Seen, own: Floats) -> None:
        """What the autoencoder alone costs on its canvas: what the finish gives back."""
        again = portrait.rendering.base
        if again is None:
            return
        small = on_canvas(portrait.setup.asked, self.generator.model_set)
        found.measures["psnr"].append(float(cv2.PSNR(small, again)))
        for name, one in (("plate", asked), ("round trip", self.see(again))):
            if one:
                away = float(np.linalg.norm(one.descriptor - own))
                found.measures[f"distance of {name}"].append(away)

    def _portraits(
        self, found: SitterFindings, portraits: list[Portrait], asked: list[Seen], own: Floats
    ) -> None:
        """The set's own strength: everything but ladder, variation and words."""
        add = found.measures
        for portrait, plate in zip(portraits, asked, strict=True):
            one = self.see(portrait.image)
            add["face_found_share"].append(float(one is not None))
            if one is None:
                continue
            self._recognised(found, one, own)
            add["pose"].append(judges.pose_error(plate.points, one.points))
            alpha = portrait.setup.plate.alpha
            add["backdrop"].append(judges.backdrop_delta(plate.pixels, one.pixels, alpha))
            tones = (judges.skin(seen.pixels, seen.points) for seen in (plate, one))
            add["skin"].append(judges.delta_e(*tones))
            fine = judges.fine_power(plate.pixels, plate.points)
            add["sharpness"].append(judges.fine_power(one.pixels, one.points) / fine)
            add["sharpness_drawn"].append(
                judges.fine_power(_enlarged(portrait.rendering.image), plate.points) / fine
            )
            found.cues.append((judges.cues(plate.pixels, plate.points), judges.cues(one.pixels, one.points)))
        found.pictures["portrait"] = portraits[0].image

    def _recognised(self, found: SitterFindings, picture: Seen, own: Floats) -> None:
        """Whose face it is nearest to, and how near it comes to a training picture."""
        to_own, to_other = self.nearness(picture, own)
        found.measures["distance"].append(to_own)
        found.measures["own_sitter_share"].append(float(to_own < to_other))
        found.measures["nearest_training"].append(to_other)
        alike = self.known.crops @ judges.aligned_crop(picture.pixels, picture.points)
        found.measures["alike_training"].append(float(alike.max()))

    def _ladder(self, found: SitterFindings, order: Order, face: Face, setup: Setup, own: Floats) -> None:
        """One portrait a strength: how far each is from the sitter, and whether nearer to another."""
        for strength in RUNGS:
            (drawn,) = self.draw(replace(order, start="plate", strength=strength), face, [setup])
            found.pictures[f"{strength:g}"] = drawn.image
            one = self.see(drawn.image)
            found.measures[f"face_found_share at {strength:g}"].append(float(one is not None))
            if one:
                to_own, to_other = self.nearness(one, own)
                found.measures[f"distance at {strength:g}"].append(to_own)
                found.measures[f"own_sitter_share at {strength:g}"].append(float(to_own < to_other))

    def _variation(
        self, found: SitterFindings, order: Order, face: Face, cutout: Cutout, setups: list[Setup]
    ) -> None:
        """What seed, light and crop each change of a portrait, grey values in the face, pupils on pupils."""
        first, second = (setup.shot for setup in setups[:2])
        model_set = self.generator.model_set
        other = {
            "seed": first,
            "light": Shot(second.light, first.framing),
            "crop": Shot(first.light, second.framing),
        }
        plain = setups[0]
        for name, shot in other.items():
            setup = plain if name == "seed" else set_up(cutout, order, shot, model_set)
            seeds = order.seeds if name == "seed" else (order.seed, order.seed)
            drawn = self.draw(order, face, [plain, setup], seeds)
            seen = [one for portrait in drawn if (one := self.see(portrait.image))]
            if len(seen) == 2:
                pair = ((one.pixels, one.points) for one in seen)
                found.measures[f"varied_by_{name}"].append(judges.apart(*pair))

    def _expressions(
        self, found: SitterFindings, order: Order, face: Face, cutout: Cutout, plain: Seen
    ) -> None:
        """How far the mouth moves in the direction asked for, in its own width, against the plain plate."""
        model_set = self.generator.model_set
        for name in model_set.expressions:
            expression = self.words[name]
            if expression.smile < 0 and not lips_meet(face.landmarks):
                continue
            asked = replace(order, expression=expression)
            (drawn,) = self.draw(asked, face, self.set_up(cutout, asked))
            if one := self.see(drawn.image):
                before, after = plain.points.astype(np.float32), one.points.astype(np.float32)
                moved = mouth_change(before, after) * np.sign(expression.smile)
                found.measures[f"{name}_moves"].append(float(moved))
                found.measures[f"{name}_share"].append(float(moved >= LEAST_MOVE))


def _enlarged(small: Pixels) -> Pixels:
    return np.asarray(cv2.resize(small, PLATE_SIZE, interpolation=cv2.INTER_CUBIC), np.uint8)


def own_faces(finder: FaceFinder, folder: Path, files: list[str], cache: Path) -> KnownFaces:
    """Every training face, measured once; the cache holds templates and stays out of the repository."""
    if not cache.exists():
        recognizer, rows = Recognizer(), list[tuple[str, Floats, Floats]]()
        for file in files:
            try:
                face = finder.find(open_photo(folder / file))
            except PhotoError:
                continue
            points = np.asarray(face.landmarks[:, :2], np.float64)
            if np.isfinite(points).all():
                crop = judges.aligned_crop(face.photo.pixels, points)
                rows.append((file, recognizer.descriptor(face), crop))
        names, descriptors, crops = zip(*rows, strict=True)
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, files=names, descriptors=np.stack(descriptors), crops=np.stack(crops))
    stored = np.load(cache)
    return KnownFaces(tuple(stored["files"].tolist()), stored["descriptors"], stored["crops"])
