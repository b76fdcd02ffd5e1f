"""How well a sitter is told from the room and from other people: `python -m evaluation.scenes`.

Scenes are composed, so that alpha is known: a portrait from a plain ground, cut out by our own matte and
checked by eye on a green ground, stands in another room, with up to three other people beside and behind;
`curls` adds strands of hair whose alpha is drawn, so exact. The error is the mean of |alpha - reference| over
the scene. Portraits come from the folder named by FACE_VALUE_PORTRAITS and are measured, never shown to
visitors. Goals: 1 % on plain and busy rooms and with curls, 2 % with bystanders, no second face in a plate.
"""

import argparse
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from errors import PhotoError
from pipelines.arrays import Array, Pixels
from pipelines.look import read_looks
from pipelines.plate.masks import Site, blur
from pipelines.plate.matte import Cutout
from pipelines.plate.studio import Studio, plate
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo, open_photo

# Training portraits before a plain blue ground, sharp at this size, three skin-tone bands by `skin_ita`.
SITTERS = {
    "dark": ("H001066", "F000476", "J000309", "S001223", "O000173"),
    "mid": ("B000825", "V000136", "A000371", "C001115", "G000061"),
    "light": ("T000474", "L000560", "L000585", "M001223", "S000510"),
}
OTHERS = ("H001095", "I000058", "E000296", "P000617", "N000193", "021974", "P000608", "D000623")
ENLARGE = 1.5  # a training portrait has 51 px between the pupils, a selfie 80 and more
SIZES = (0.3, 0.9)  # of a bystander, in the sitter's
GOALS = {"plain": 0.01, "busy": 0.01, "curls": 0.01, "bystanders": 0.02}
CANVAS = (576, 720)
SMALLEST_FACE_PX = 40  # in a plate; a sitter's face is 200 px wide, a pin on a lapel 20


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody cut out: colours (H, W, 3), alpha (H, W) and where the face is in them."""

    colours: Pixels
    alpha: Array
    site: Site


@dataclass(frozen=True, eq=False)
class Scene:
    """A composed photo with the alpha of its sitter."""

    kind: str  # a key of GOALS
    pixels: Pixels
    alpha: Array  # (H, W) 0..1


def person_of(cutout: Cutout) -> Person:
    """A cut-out as somebody to compose with."""
    face = cutout.face
    site = Site(np.asarray(face.landmarks[:, :2], np.float32), face.pupil_distance)
    return Person(cutout.foreground, cutout.alpha, site)


def compose(kind: str, sitter: Person, others: list[Person], chance: np.random.Generator) -> Scene:
    """The sitter in a room drawn for this scene, others behind."""
    shape = sitter.alpha.shape
    picture = draw_room(shape, "plain" if kind in ("plain", "curls") else "busy", chance)
    sides = chance.permutation([-1, 1, chance.choice([-1, 1])])
    for other, side in zip(others, sides, strict=False):
        picture = stand_behind(picture, sitter.site, other, int(side), chance)
    alpha, colours = sitter.alpha, sitter.colours.astype(np.float32)
    if kind == "curls":
        alpha, colours = draw_curls(alpha, colours, sitter.site, chance)
    picture = alpha[..., None] * colours + (1 - alpha[..., None]) * picture
    noise = chance.normal(0, 2, shape)[..., None]  # a phone's, so that the paste is not the only clean part
    return Scene(kind, np.asarray((picture + noise).round().clip(0, 255), np.uint8), alpha)


def draw_room(shape: tuple[int, ...], kind: str, chance: np.random.Generator) -> Array:
    """A wall with light falling off (`plain`), or stripes, panels, lamps and posters (`busy`): (H, W, 3)."""
    height, width = shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    wall = chance.uniform(50, 220, 3)
    falloff = 1 - 0.3 * np.hypot(x / width - chance.uniform(), y / height - chance.uniform())
    room = wall * falloff[..., None]
    if kind == "busy":
        period, turn = chance.uniform(20, 70), chance.uniform(0, np.pi)
        stripes = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / period) > chance.uniform(
            -0.5, 0.5
        )
        room = np.where(stripes[..., None], chance.uniform(30, 230, 3) * falloff[..., None], room)
        for _ in range(14):
            corner = chance.uniform((0, 0), (width, height))
            far = corner + chance.uniform(20, 140, 2)
            colour = [int(value) for value in chance.uniform(0, 255, 3)]
            room = np.ascontiguousarray(room, np.float32)
            (left, top), (right, bottom) = corner.astype(int).tolist(), far.astype(int).tolist()
            cv2.rectangle(room, (left, top), (right, bottom), colour, -1)
    return np.asarray(blur(room.astype(np.float32), 1.5 if kind == "busy" else 4.0), np.float32)


def stand_behind(
    picture: Array, sitter: Site, other: Person, side: int, chance: np.random.Generator
) -> Array:
    """Another person at .3 to .9 of the sitter's size, the face beside the sitter's head, partly hidden."""
    scale = float(chance.uniform(*SIZES)) * sitter.d / other.site.d
    shift = sitter.eyes + sitter.d * np.array([side * chance.uniform(1.5, 2.9), chance.uniform(-1.2, 0.9)])
    matrix = np.column_stack([scale * np.eye(2), shift - scale * other.site.eyes])
    size = picture.shape[1::-1]
    # a body ends with its photo: its last row is carried on down
    colours = cv2.copyMakeBorder(other.colours, 0, 2000, 0, 0, cv2.BORDER_REPLICATE)
    cover = cv2.copyMakeBorder(other.alpha, 0, 2000, 0, 0, cv2.BORDER_REPLICATE)
    if scale < 0.7:
        colours, cover = blur(colours, 0.35 / scale), blur(cover, 0.35 / scale)
    colours = cv2.warpAffine(colours, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(cover, matrix, size, flags=cv2.INTER_LINEAR)[..., None]
    return np.asarray(cover * colours + (1 - cover) * picture, np.float32)


def draw_curls(alpha: Array, colours: Array, site: Site, chance: np.random.Generator) -> tuple[Array, Array]:
    """Strands of hair that leave the head's outline, drawn at four times the size: their alpha is exact."""
    shape = alpha.shape
    strands = np.zeros((shape[0] * 4, shape[1] * 4), np.uint8)
    hair = colours[max(0, int(site.eyes[1] - 1.6 * site.d)), int(site.eyes[0])] * 0.8
    along = np.linspace(0, 1, 24)[:, None]
    for angle in chance.uniform(-1.1 * np.pi, 0.1 * np.pi, 240):
        out = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-out[1], out[0]])
        ray = site.eyes + site.d * np.linspace(0.8, 2.6, 200)[:, None] * out
        column, row = ray.astype(int).clip(0, np.array(shape[::-1]) - 1).T
        outline = ray[np.argmax(alpha[row, column] < 0.5)]
        wave = np.sin(along * chance.uniform(4, 12) + chance.uniform(0, 6)) * chance.uniform(0.01, 0.05)
        line = outline + site.d * (out * (along * chance.uniform(0.1, 0.4) - 0.08) + across * wave)
        cv2.polylines(strands, [np.round(line * 4).astype(np.int32)], False, 255, int(chance.integers(3, 9)))
    cover = cv2.resize(strands, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    behind = cover * (1 - alpha)
    whole = alpha + behind
    mixed = (alpha[..., None] * colours + behind[..., None] * hair) / np.maximum(whole, 1e-3)[..., None]
    return whole, np.where(whole[..., None] > 1e-3, mixed, colours)


def read_person(folder: Path, name: str, finder: FaceFinder, studio: Studio) -> Person:
    """A portrait of the training folder, enlarged and cut out."""
    pixels = open_photo(folder / "train" / f"{name}.jpg").pixels
    large = cv2.resize(pixels, None, fx=ENLARGE, fy=ENLARGE, interpolation=cv2.INTER_CUBIC)
    return person_of(studio.cut_out(finder.find(Photo(np.asarray(large, np.uint8)))))


class SceneJudge:
    """The instruments that all scenes share, and the people who stand behind."""

    def __init__(self, finder: FaceFinder, studio: Studio, others: list[Person]) -> None:
        self.finder, self.studio, self.others = finder, studio, others
        self.look = read_looks()["grey"]

    def scenes(self, sitter: Person, chance: np.random.Generator) -> Iterator[Scene]:
        """One scene of each kind, three with bystanders."""
        for kind in ("plain", "busy", "curls"):
            yield compose(kind, sitter, [], chance)
        for count in (1, 2, 3):
            chosen = [self.others[i] for i in chance.permutation(len(self.others))[:count]]
            yield compose("bystanders", sitter, chosen, chance)

    def judge(self, scene: Scene) -> tuple[float, int, Pixels]:
        """Mean error of alpha, faces beside the sitter's in the plate, and the plate. Raises `PhotoError`."""
        cutout = self.studio.cut_out(self.finder.find(Photo(scene.pixels)))
        drawn = plate(cutout, self.look, CANVAS).pixels
        return float(np.abs(cutout.alpha - scene.alpha).mean()), self.more_faces(drawn), drawn

    def more_faces(self, picture: Pixels) -> int:
        """Faces in a plate but the first, looked for in the whole and in its quarters enlarged."""
        from mediapipe import solutions as of  # here: it takes 2 s

        height, width = picture.shape[:2]
        found = []
        with of.face_detection.FaceDetection(model_selection=1, min_detection_confidence=0.5) as far:
            for top in (0, height // 4, height // 2):
                for left in (0, width // 4, width // 2):
                    part = np.ascontiguousarray(picture[top : top + height // 2, left : left + width // 2])
                    for detection in far.process(part).detections or ():
                        box = detection.location_data.relative_bounding_box
                        x = left + (box.xmin + box.width / 2) * part.shape[1]
                        y = top + (box.ymin + box.height / 2) * part.shape[0]
                        if box.width * part.shape[1] > SMALLEST_FACE_PX:
                            found.append((x, y))
        eyes = np.array([0.5, self.look.framing.eye_line]) * (width, height)
        away = [np.hypot(x - eyes[0], y - eyes[1]) for x, y in found]
        return sum(far_off > 0.2 * width for far_off in away)


def main() -> None:
    """Print errors by kind and band; `--sheet` writes scenes and plates to be looked at."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--sheet", type=Path, help="a PNG of every scene beside its plate")
    chosen = options.parse_args()
    chance = np.random.default_rng(chosen.seed)
    errors: dict[tuple[str, str], list[float]] = defaultdict(list)
    refused: list[str] = []
    more, tiles = 0, []
    with FaceFinder() as finder, Studio() as studio:
        folder = Path(os.environ["FACE_VALUE_PORTRAITS"])
        others = [read_person(folder, name, finder, studio) for name in OTHERS]
        judge = SceneJudge(finder, studio, others)
        for band, names in SITTERS.items():
            for name in names:
                for scene in judge.scenes(read_person(folder, name, finder, studio), chance):
                    try:
                        error, faces, drawn = judge.judge(scene)
                    except PhotoError as refusal:
                        refused.append(f"{name} {scene.kind}: {refusal.key}")
                        continue
                    errors[scene.kind, band].append(error)
                    more += faces
                    tiles.append(tile(f"{name} {scene.kind} {error:.2%} {faces or ''}", scene.pixels, drawn))
    report(errors, refused, more)
    if chosen.sheet:
        write_sheet(chosen.sheet, tiles)


def report(errors: dict[tuple[str, str], list[float]], refused: list[str], more: int) -> None:
    """The table: a kind a line, a band a column, mean and worst."""
    print(f"{'':12}" + "".join(f"{band:>16}" for band in SITTERS) + f"{'all':>8} {'goal':>6}")
    for kind, goal in GOALS.items():
        rows = [errors[kind, band] for band in SITTERS]
        cells = "".join(f"{np.mean(row):9.2%} {np.max(row):6.2%}" if row else f"{'-':>16}" for row in rows)
        print(f"{kind:12}{cells}{np.mean([value for row in rows for value in row]):8.2%} {goal:6.0%}")
    print(f"second faces in plates: {more}; refused: {', '.join(refused) or 'none'}")


def tile(words: str, scene: Pixels, drawn: Pixels) -> Pixels:
    """A scene beside its plate, with a line of words."""
    pair = np.hstack([cv2.resize(picture, (256, 320)) for picture in (scene, drawn)])
    cv2.putText(pair, words, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 0, 0), 1, cv2.LINE_AA)
    return pair


def write_sheet(path: Path, tiles: list[Pixels]) -> None:
    """Tiles in rows of six."""
    blank = [np.zeros_like(tiles[0])] * (-len(tiles) % 6)
    rows = [np.hstack(list(row)) for row in zip(*[iter(tiles + blank)] * 6, strict=True)]
    cv2.imwrite(str(path), np.vstack(rows)[:, :, ::-1])


if __name__ == "__main__":
    main()
