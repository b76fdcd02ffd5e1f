"""One held-out sitter drawn in every way that `bench.mini` judges, and what each way came to.

`Lab` holds what all sitters share; `Lab.judge` returns measures by name, each a list with one number a
picture. Faces are looked for in pictures enlarged twice: MediaPipe wants more than 55 px between the pupils.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench import mini_judges as judges
from errors import PhotoError
from pipelines.face import Face, FaceFinder
from pipelines.generate import Generator, Rendering, Request
from pipelines.ladder import RUNGS
from pipelines.look import Look, read_expressions, read_looks
from pipelines.photo import Photo, open_photo
from pipelines.pose import pose_map
from pipelines.recognition import Recognizer
from pipelines.sitting import Order, find_faces, request_for
from pipelines.studio import Studio, plate

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
ENLARGE = 2
SEEDS = 2  # portraits a sitter at the set's own strength
FREE = 0.75  # the strength at which the ControlNet is judged too: below, the plate gives the pose anyway


@dataclass(frozen=True, eq=False)
class Known:
    """The training faces, to find copies by: descriptors (n, 128) and aligned crops (n, k)."""

    files: tuple[str, ...]
    descriptors: Floats
    crops: Floats


@dataclass(eq=False)
class Seen:
    """A picture, its face, and what is compared of it."""

    pixels: Pixels
    face: Face
    points: Floats  # (478, 2) px of the picture
    descriptor: Floats


@dataclass(eq=False)
class Findings:
    """What one sitter gave."""

    measures: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cues: list[tuple[Floats, Floats]] = field(default_factory=list)  # of round trip and portrait
    pictures: dict[str, Pixels] = field(default_factory=dict)  # to be looked at


class Lab:
    """The generator and the measuring instruments."""

    def __init__(self, generator: Generator, finder: FaceFinder, studio: Studio, known: Known) -> None:
        self.generator, self.finder, self.studio, self.known = generator, finder, studio, known
        self.recognizer = Recognizer()
        self.looks = list(read_looks().values())
        self.words = read_expressions()

    def see(self, pixels: Pixels) -> Seen | None:
        """The one face in a picture, or None."""
        size = pixels.shape[1] * ENLARGE, pixels.shape[0] * ENLARGE
        large = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
        try:
            face = self.finder.find(Photo(np.asarray(large, np.uint8)))
        except PhotoError:
            return None
        if not np.isfinite(face.landmarks).all():
            return None
        return Seen(pixels, face, judges.points_of(face, ENLARGE), self.recognizer.descriptor(face))

    def draw(self, request: Request) -> list[Pixels]:
        """The finished portraits of a request."""
        return [event.image for event in self.generator.draw(request) if isinstance(event, Rendering)]

    def judge(self, path: Path, index: int) -> Findings:
        """All measures of one sitter. Raises `PhotoError` for a photograph that would be taken again."""
        model_set, look = self.generator.model_set, self.looks[index % len(self.looks)]
        (face,) = find_faces([open_photo(path)], self.finder)
        framing = model_set.framing or look.framing
        made = plate(self.studio.cut_out(face), look, model_set.canvas, framing)
        pose = pose_map(face, framing, model_set.canvas)
        order = Order(look, variations=SEEDS, seed=10 * index)
        request = replace(request_for(order, [face], made, pose, model_set), plate=made.pixels)
        found, own = Findings(), self.recognizer.descriptor(face)
        found.pictures["plate"] = made.pixels
        asked = self.see(made.pixels)
        if asked is None:
            raise PhotoError("face.none")
        again = self._round_trip(found, asked, own)
        self._portraits(found, request, asked, own, made.alpha, again)
        self._ladder(found, request, asked, own)
        self._expressions(found, request, look)
        return found

    def _round_trip(self, found: Findings, asked: Seen, own: Floats) -> Pixels:
        """What the autoencoder alone costs; no portrait comes nearer."""
        again = self.generator.round_trip(asked.pixels)
        found.pictures["round trip"] = again
        found.measures["psnr"].append(float(cv2.PSNR(asked.pixels, again)))
        shift = judges.delta_e(judges.skin(asked.pixels, asked.points), judges.skin(again, asked.points))
        found.measures["skin_round_trip"].append(shift)
        for name, one in (("plate", asked), ("round trip", self.see(again))):
            if one:
                away = float(np.linalg.norm(one.descriptor - own))
                found.measures[f"distance of {name}"].append(away)
        return again

    def _portraits(
        self,
        found: Findings,
        request: Request,
        asked: Seen,
        own: Floats,
        alpha: NDArray[np.float32],
        again: Pixels,
    ) -> None:
        """The set's own strength: everything but the ladder and the words."""
        seen = [self.see(drawn) for drawn in self.draw(request)]
        found.measures["face_found_share"] += [float(one is not None) for one in seen]
        there = [one for one in seen if one]
        for one in there:
            self._recognised(found, one, own)
            add = found.measures
            add["pose"].append(judges.pose_error(asked.points, one.points))
            add["backdrop"].append(judges.backdrop_delta(asked.pixels, one.pixels, alpha))
            add["skin"].append(
                judges.delta_e(judges.skin(asked.pixels, asked.points), judges.skin(one.pixels, one.points))
            )
            fine = judges.fine_power(asked.pixels, asked.points)
            add["sharpness"].append(judges.fine_power(one.pixels, one.points) / fine)
            add["sharpness_round_trip"].append(judges.fine_power(again, asked.points) / fine)
            found.cues.append((judges.cues(again, asked.points), judges.cues(one.pixels, one.points)))
        for first, second in pairwise(there):
            found.measures["between_seeds"].append(
                float(np.linalg.norm(first.descriptor - second.descriptor))
            )
            pixels = np.abs(
                first.pixels[judges.head(asked.points)].astype(float)
                - second.pixels[judges.head(asked.points)]
            )
            found.measures["between_seeds_pixels"].append(float(pixels.mean()))
        if there:
            found.pictures["portrait"] = there[0].pixels

    def _recognised(self, found: Findings, one: Seen, own: Floats) -> None:
        """Whose face it is nearest to, and how near it comes to a training picture."""
        to_own = float(np.linalg.norm(one.descriptor - own))
        others = np.linalg.norm(self.known.descriptors - one.descriptor, axis=1)
        found.measures["distance"].append(to_own)
        found.measures["own_sitter_share"].append(float(to_own < others.min()))
        found.measures["nearest_training"].append(float(others.min()))
        alike = self.known.crops @ judges.aligned_crop(one.pixels, one.points)
        found.measures["alike_training"].append(float(alike.max()))

    def _ladder(self, found: Findings, request: Request, asked: Seen, own: Floats) -> None:
        """One portrait a strength, and one at `FREE` without the pose map."""
        alone = replace(request, seeds=request.seeds[:1])
        for strength in RUNGS:
            (drawn,) = self.draw(replace(alone, start="plate", strength=strength))
            found.pictures[f"{strength:g}"] = drawn
            one = self.see(drawn)
            found.measures[f"face_found_share at {strength:g}"].append(float(one is not None))
            if one:
                away = float(np.linalg.norm(one.descriptor - own))
                others = np.linalg.norm(self.known.descriptors - one.descriptor, axis=1)
                found.measures[f"distance at {strength:g}"].append(away)
                found.measures[f"own_sitter_share at {strength:g}"].append(float(away < others.min()))
                if strength == FREE:
                    found.measures["pose_free"].append(judges.pose_error(asked.points, one.points))
        (drawn,) = self.draw(replace(alone, start="plate", strength=FREE, pose=0.0))
        if one := self.see(drawn):
            found.measures["pose_free_off"].append(judges.pose_error(asked.points, one.points))

    def _expressions(self, found: Findings, request: Request, look: Look) -> None:
        """The same seeds with the words for a smile and for none."""
        seen = []
        for name in ("warm_smile", "serious"):
            words = Order(look, self.words[name]).prompt
            seen.append([self.see(drawn) for drawn in self.draw(replace(request, prompt=words))])
        for smiling, serious in zip(*seen, strict=True):
            if smiling and serious:
                more = judges.smiles_more(smiling.face, serious.face)
                found.measures["expression_share"].append(float(more))


def own_faces(finder: FaceFinder, folder: Path, files: list[str], cache: Path) -> Known:
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
        np.savez(cache, files=names, descriptors=np.stack(descriptors), crops=np.stack(crops))
    stored = np.load(cache)
    return Known(tuple(stored["files"].tolist()), stored["descriptors"], stored["crops"])
