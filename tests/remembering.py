"""Looks at a picture once, lights it once: the pages' tests sit the same two people down again and again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from hashlib import blake2b
from typing import Any

from errors import PhotoError
from pipelines.arrays import Pixels, Points
from pipelines.draw.model_set import ModelSet
from pipelines.order import Order
from pipelines.plate.matte import Cutout
from pipelines.plate.shot import Shot
from pipelines.plate.studio import Studio
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.photo import Photo
from pipelines.sitting import Setup, set_up

MOST = 24  # faces, cut-outs or setups, up to 20 MB each, or meshes


class Kept(OrderedDict[Hashable, Any]):
    """The last few answers."""

    def answer(self, question: Hashable, ask: Callable[[], Any]) -> Any:
        if question not in self:
            self[question] = ask()
        self.move_to_end(question)
        while len(self) > MOST:
            self.popitem(last=False)
        return self[question]


def sum_of(pixels: Pixels) -> Hashable:
    return pixels.shape, blake2b(pixels.tobytes()).digest()


class RememberingFinder:
    """Stands before a finder: what is the same to the last pixel is the same face, or the same refusal."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder, self._kept, self._meshes = finder, Kept(), Kept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)

    def find(self, photo: Photo) -> Face:
        answer = self._kept.answer(sum_of(photo.pixels), lambda: self._ask(photo))
        if isinstance(answer, PhotoError):
            raise answer
        assert isinstance(answer, Face)
        return answer

    def meshes(self, crops: Sequence[Pixels]) -> list[Points | None]:
        question = tuple(sum_of(crop) for crop in crops)
        return list(self._meshes.answer(question, lambda: self._finder.meshes(crops)))

    def _ask(self, photo: Photo) -> Face | PhotoError:
        try:
            return self._finder.find(photo)
        except PhotoError as refusal:
            return refusal


class RememberingStudio:
    """Stands before a studio: of the very same face there is one cut-out."""

    def __init__(self, studio: Studio) -> None:
        self._studio, self._kept = studio, Kept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._studio, name)

    def cut_out(self, face: Face) -> Cutout:
        _, cutout = self._kept.answer(id(face), lambda: (face, self._studio.cut_out(face)))  # keeps the face
        assert isinstance(cutout, Cutout)
        return cutout


class RememberingLamps:
    """Stands before `set_up`: of the very same cut-out, order and shot there is one plate."""

    def __init__(self) -> None:
        self._kept = Kept()

    def set_up(self, cutout: Cutout, order: Order, shot: Shot, model_set: ModelSet) -> Setup:
        asked = repr((order.look, order.expression, shot, model_set))
        _, setup = self._kept.answer(
            (id(cutout), asked), lambda: (cutout, set_up(cutout, order, shot, model_set))
        )
        assert isinstance(setup, Setup)
        return setup
