"""The plate: the sitter's own photograph before the look's backdrop. Real pictures, properties only."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from errors import PhotoError
from pipelines.look import Framing, Look, read_looks
from pipelines.plate.masks import signed_distance
from pipelines.plate.matte import Cutout
from pipelines.plate.studio import Plate, Studio, plate
from pipelines.selfie.check import SelfieVerdict
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.photo import Photo

pytestmark = pytest.mark.draws

LOOKS = read_looks()
CANVAS = (400, 500)
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
Cut = Callable[[Photo], Cutout]


@pytest.fixture(scope="module")
def cut(finder: FaceFinder, studio: Studio) -> Cut:
    """A photo's cut-out, made once."""
    made: dict[int, Cutout] = {}

    def once(photo: Photo) -> Cutout:
        if id(photo) not in made:
            made[id(photo)] = studio.cut_out(finder.find(photo))
        return made[id(photo)]

    return once


@pytest.fixture(params=["astronaut", "hopper"])
def sample(request: pytest.FixtureRequest) -> Photo:
    photo = request.getfixturevalue(request.param)
    assert isinstance(photo, Photo)
    return photo


def oval(face: Face, inset: float = 0.1) -> NDArray[np.bool_]:
    """The face in the photo, its rim of `inset` pupil distances left out."""
    drawn = np.zeros(face.photo.pixels.shape[:2], np.uint8)
    cv2.fillPoly(drawn, [face.landmarks[list(OVAL), :2].round().astype(np.int32)], 1)
    size = 2 * round(inset * face.pupil_distance) + 1
    return cv2.erode(drawn, np.ones((size, size), np.uint8)).astype(bool)


def far(face: Face) -> NDArray[np.bool_]:
    """What is surely room: above the eyes, further from them than hair or a hat reaches."""
    height, width = face.photo.pixels.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    x, y = face.pupils.mean(axis=0)
    return (np.hypot(columns - x, rows - y) > 2.7 * face.pupil_distance) & (rows < y)


def on_canvas(picture: NDArray[np.uint8], made: Plate) -> NDArray[np.uint8]:
    """A picture of the photo's size, framed as the plate."""
    return cv2.warpAffine(picture, made.matrix, made.alpha.shape[::-1], flags=cv2.INTER_CUBIC)


def face_ratios(cutout: Cutout, made: Plate) -> NDArray[np.float64]:
    """Plate over photo, (N, 3), on the face where neither is near black or white.

    Both are blurred a little: they were sized in different ways.
    """
    inside = on_canvas(oval(cutout.face, 0.3).astype(np.uint8), made) == 1
    photo = cv2.GaussianBlur(on_canvas(cutout.face.photo.pixels, made), (0, 0), 2)[inside].astype(float)
    shown = cv2.GaussianBlur(made.pixels, (0, 0), 2)[inside].astype(float)
    fair = (np.minimum(photo, shown).min(axis=1) > 40) & (np.maximum(photo, shown).max(axis=1) < 250)
    return shown[fair] / photo[fair]


def crop(face: Face, left: float, top: float, right: float, bottom: float) -> Photo:
    """A tighter photo: so many pupil distances to each side of the eyes, twice as large."""
    (x, y), d = face.pupils.mean(axis=0), face.pupil_distance
    rows = slice(max(0, int(y - top * d)), int(y + bottom * d))
    columns = slice(max(0, int(x - left * d)), int(x + right * d))
    picture = np.ascontiguousarray(face.photo.pixels[rows, columns])
    return Photo(cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))


# The cut-out


def test_the_face_is_whole_and_the_far_room_is_gone(sample: Photo, cut: Cut) -> None:
    cutout = cut(sample)
    assert cutout.alpha.shape == sample.pixels.shape[:2]
    assert cutout.alpha[oval(cutout.face)].min() == 1
    assert cutout.alpha[far(cutout.face)].mean() < 0.01


def test_well_inside_the_sitter_the_colours_are_the_photos(sample: Photo, cut: Cut) -> None:
    cutout = cut(sample)
    # nearer to the outline the room's light is taken out of hair
    whole = signed_distance(cutout.alpha >= 1) > 0.4 * cutout.face.pupil_distance
    assert whole.mean() > 0.15
    assert np.array_equal(cutout.foreground[whole], sample.pixels[whole])


def test_a_pale_cap_before_a_flag_stays_on(hopper: Photo, cut: Cut) -> None:
    face = cut(hopper).face
    (x, y), d = face.pupils.mean(axis=0), face.pupil_distance
    badge = cut(hopper).alpha[int(y - 1.5 * d) : int(y - 1.0 * d), int(x - 0.4 * d) : int(x + 0.4 * d)]
    assert badge.mean() > 0.98


def test_no_halo_of_the_old_room_stays(astronaut: Photo, cut: Cut, studio: Studio) -> None:
    """The truth is known: a cut-out set before green, and cut out again."""
    truth = cut(astronaut)
    green = np.array([20, 200, 60], np.float32)
    alpha = truth.alpha[..., None]
    mixed = Photo((truth.foreground * alpha + green * (1 - alpha)).round().astype(np.uint8))
    face = truth.face
    again = studio.cut_out(replace(face, photo=mixed))
    d = face.pupil_distance
    head = np.zeros(alpha.shape[:2], bool)
    x, y = face.pupils.mean(axis=0)
    head[: int(y + 1.5 * d), int(x - 3 * d) : int(x + 3 * d)] = True
    assert np.abs(again.alpha - truth.alpha)[head].sum() / d**2 < 0.5

    def greenness(cutout: Cutout) -> NDArray[np.float64]:
        shown = cutout.foreground.astype(float) * cutout.alpha[..., None] + 128 * (
            1 - cutout.alpha[..., None]
        )
        return shown[..., 1] - shown[..., [0, 2]].max(axis=2)

    band = head & (truth.alpha > 0.02) & (truth.alpha < 0.98)
    kept = (mixed.pixels[..., 1].astype(float) - mixed.pixels[..., [0, 2]].max(axis=2))[band].mean()
    assert kept > 20  # the fringe was green
    assert (greenness(again) - greenness(truth))[band].mean() < 5


def test_two_visitors_at_once_get_what_each_gets_alone(
    astronaut: Photo, hopper: Photo, cut: Cut, studio: Studio
) -> None:
    alone = [cut(astronaut), cut(hopper)] * 2
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(studio.cut_out, [cutout.face for cutout in alone]))
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.alpha, other.alpha)
        assert np.array_equal(one.foreground, other.foreground)


def test_a_closed_studio_opens_again(astronaut: Photo, cut: Cut) -> None:
    room = Studio()
    first = room.cut_out(cut(astronaut).face)
    room.close()
    assert np.array_equal(room.cut_out(first.face).alpha, first.alpha)
    room.close()


def test_a_selfie_without_a_measured_face_is_refused_by_its_verdict(
    astronaut: Photo, cut: Cut, studio: Studio
) -> None:
    seen = cut(astronaut).face
    nowhere = np.full_like(seen.landmarks, np.nan)
    with pytest.raises(PhotoError, match=r"face\.back"):
        studio.cut_out(replace(seen, landmarks=nowhere, verdict=SelfieVerdict("face.back")))


def test_cutout_and_plate_cannot_be_written_to(astronaut: Photo, cut: Cut) -> None:
    made = plate(cut(astronaut), LOOKS["grey"], CANVAS)
    for array in (cut(astronaut).alpha, cut(astronaut).foreground, made.pixels, made.alpha, made.matrix):
        assert not array.flags.writeable


# The plate


@pytest.mark.parametrize("look", LOOKS.values(), ids=lambda look: look.name)
def test_skin_keeps_its_hue_under_every_light(sample: Photo, cut: Cut, look: Look) -> None:
    ratios = face_ratios(cut(sample), plate(cut(sample), look, CANVAS))
    assert len(ratios) > 500
    middle = np.median(ratios, axis=0)
    assert np.ptp(middle) < 0.01  # one gain for red, green and blue
    assert 0.6 < middle.mean() < 1.1


def test_under_flat_light_the_face_is_the_photos(sample: Photo, cut: Cut) -> None:
    ratios = face_ratios(cut(sample), plate(cut(sample), LOOKS["white"].relight(key=0.0, fill=1.0), CANVAS))
    assert np.abs(np.median(ratios) - 1.0) < 0.04
    assert np.percentile(np.abs(ratios - np.median(ratios)), 95) < 0.03


def test_the_side_of_the_key_lamp_is_brighter(astronaut: Photo, cut: Cut) -> None:
    def left_over_right(key: float) -> float:
        made = plate(cut(astronaut), LOOKS["grey"].relight(key=key, fill=0.1), CANVAS)
        flat = plate(cut(astronaut), LOOKS["grey"].relight(key=key, fill=1.0), CANVAS)
        points = cut(astronaut).face.landmarks[[50, 280], :2] @ made.matrix[:, :2].T + made.matrix[:, 2]
        left, right = (
            made.pixels[y - 5 : y + 5, x - 5 : x + 5].mean()
            / flat.pixels[y - 5 : y + 5, x - 5 : x + 5].mean()
            for x, y in points.round().astype(int)
        )
        return float(left / right)

    assert left_over_right(60.0) > 1.2
    assert left_over_right(-60.0) < 1 / 1.2


@pytest.mark.parametrize("name", ["grey", "black", "white"])
def test_the_corners_have_the_looks_colour(sample: Photo, cut: Cut, name: str) -> None:
    made = plate(cut(sample), LOOKS[name], CANVAS)
    wanted = np.frombuffer(bytes.fromhex(LOOKS[name].backdrop.edge[1:]), np.uint8)
    for corner in (made.pixels[:12, :12], made.pixels[:12, -12:]):
        assert np.abs(np.median(corner, axis=(0, 1)) - wanted).max() <= 8


def test_the_six_looks_are_told_apart_by_what_is_behind(astronaut: Photo, cut: Cut) -> None:
    behind = [plate(cut(astronaut), look, CANVAS).pixels[:80] for look in LOOKS.values()]
    for index, one in enumerate(behind):
        for other in behind[index + 1 :]:
            assert np.abs(one.astype(int) - other).mean() > 12


def test_every_canvas_shows_the_same_backdrop(astronaut: Photo, cut: Cut) -> None:
    small, large = (
        plate(cut(astronaut), LOOKS["outdoor"], canvas).pixels[:, : canvas[0] // 6]
        for canvas in ((256, 320), (1080, 1350))
    )
    shrunk = cv2.resize(large, small.shape[1::-1], interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(shrunk - small)[:160].mean() < 4


@pytest.mark.parametrize("framing", [None, Framing(head_height=0.6, eye_line=0.38)])
def test_the_head_stands_where_the_framing_says(
    sample: Photo, cut: Cut, finder: FaceFinder, framing: Framing | None
) -> None:
    wanted = framing or LOOKS["grey"].framing
    made = plate(cut(sample), LOOKS["grey"], (640, 800), framing)
    found = finder.find(Photo(made.pixels))
    right, left = found.pupils
    assert abs(right[1] - left[1]) < 0.01 * 640
    assert abs((right[1] + left[1]) / 2 / 800 - wanted.eye_line) < 0.01
    assert abs((right[0] + left[0]) / 2 / 640 - 0.5) < 0.02
    asked = cut(sample).face.pupil_distance * np.hypot(*made.matrix[0, :2])
    assert abs(found.pupil_distance / asked - 1) < 0.05


def test_the_plate_is_not_mirrored(sample: Photo, cut: Cut) -> None:
    cutout = cut(sample)
    made = plate(cutout, LOOKS["white"], CANVAS)
    inside = on_canvas(oval(cutout.face).astype(np.uint8), made) == 1
    shown = made.pixels[inside].astype(int)
    mirror = on_canvas(np.ascontiguousarray(cutout.face.photo.pixels), made)[:, ::-1][inside]
    straight = on_canvas(cutout.face.photo.pixels, made)[inside]
    assert np.abs(shown - straight).mean() * 3 < np.abs(shown - mirror).mean()


def test_the_same_arguments_give_the_same_pixels(sample: Photo, finder: FaceFinder) -> None:
    made = []
    for _ in range(2):
        with Studio() as room:
            made.append(plate(room.cut_out(finder.find(sample)), LOOKS["outdoor"], CANVAS).pixels)
    assert np.array_equal(*made)


@pytest.mark.parametrize("canvas", [(256, 320), (1024, 1280), (1080, 1350)])
def test_any_canvas_can_be_filled(hopper: Photo, cut: Cut, canvas: tuple[int, int]) -> None:
    made = plate(cut(hopper), LOOKS["corporate"], canvas)
    assert made.pixels.shape == (canvas[1], canvas[0], 3)
    assert made.alpha.shape == (canvas[1], canvas[0])
    assert made.pixels.dtype == np.uint8


def test_a_photo_four_times_as_large_gives_the_same_plate(
    astronaut: Photo, cut: Cut, finder: FaceFinder, studio: Studio
) -> None:
    large = cv2.resize(astronaut.pixels, (2048, 2048), interpolation=cv2.INTER_CUBIC)
    made = plate(studio.cut_out(finder.find(Photo(large))), LOOKS["grey"], (256, 320))
    small = plate(cut(astronaut), LOOKS["grey"], (256, 320))
    assert np.abs(made.pixels.astype(int) - small.pixels).mean() < 4


# Photos that end too early


def test_a_tight_selfie_shows_no_edge_where_it_ended(
    hopper: Photo, cut: Cut, finder: FaceFinder, studio: Studio
) -> None:
    tight = studio.cut_out(finder.find(crop(cut(hopper).face, 2.0, 1.9, 2.0, 3.4)))
    made = plate(tight, LOOKS["white"], CANVAS)
    height = tight.face.photo.pixels.shape[0]
    end = made.matrix[:, :2] @ [tight.face.photo.pixels.shape[1] / 2, height] + made.matrix[:, 2]
    assert 300 < end[1] < 480  # the photo ends on the canvas
    steps = np.abs(np.diff(made.alpha, axis=0)).mean(axis=1)
    assert steps[int(end[1]) - 12 : int(end[1]) + 12].max() < 0.03
    assert made.alpha[int(end[1]) + 5].max() > 0.5  # clothes run on


def test_a_photo_that_ends_at_the_collar_fades_out(
    hopper: Photo, cut: Cut, finder: FaceFinder, studio: Studio
) -> None:
    made = plate(
        studio.cut_out(finder.find(crop(cut(hopper).face, 2.4, 2.2, 2.4, 2.6))), LOOKS["grey"], CANVAS
    )
    assert made.alpha[-20:].max() < 0.05
    assert np.abs(np.diff(made.alpha, axis=0)).mean(axis=1)[320:].max() < 0.03


def test_a_cut_crown_is_rounded_off(astronaut: Photo, cut: Cut, finder: FaceFinder, studio: Studio) -> None:
    short = studio.cut_out(finder.find(crop(cut(astronaut).face, 2.6, 1.5, 2.6, 3.5)))
    made = plate(short, LOOKS["grey"], CANVAS)
    top = int(made.matrix[1, 2])  # where the photo's first row lies
    assert top > 40
    widths = (made.alpha[:top] > 0.5).sum(axis=1)
    assert widths[top - 3] > 40  # the head goes on above the photo
    assert widths[0] == 0
    grown = widths[widths > 0]
    assert (np.diff(grown) >= -1).all()  # and narrows to its end


def test_a_sitter_at_the_side_leaves_no_stripe(
    hopper: Photo, cut: Cut, finder: FaceFinder, studio: Studio
) -> None:
    made = plate(
        studio.cut_out(finder.find(crop(cut(hopper).face, 1.9, 1.9, 3, 3.3))), LOOKS["white"], CANVAS
    )
    assert made.alpha[:200, :40].max() < 0.05


def test_a_pin_that_the_photo_cuts_is_not_carried_on_as_a_stripe(
    hopper: Photo, cut: Cut, finder: FaceFinder, studio: Studio
) -> None:
    tight = studio.cut_out(finder.find(crop(cut(hopper).face, 2.6, 1.9, 2.6, 3.4)))
    pinned = tight.foreground.copy()
    (x, _), d = tight.face.pupils.mean(axis=0), tight.face.pupil_distance
    pinned[-int(0.2 * d) :, int(x + 0.8 * d) : int(x + 0.95 * d)] = (250, 220, 60)
    made = plate(tight, LOOKS["white"], CANVAS)
    changed = (
        plate(replace(tight, foreground=pinned), LOOKS["white"], CANVAS).pixels.astype(int) - made.pixels
    )
    end = int((made.matrix[:, :2] @ [x, len(pinned)] + made.matrix[:, 2])[1])
    assert np.abs(changed[end - 5]).max() > 100
    assert np.abs(changed[end + 25 :]).max() < 25


def longest_wall(cutout: Cutout) -> float:
    """Longest vertical run of the outline at or beyond the photo's sides, share of the canvas."""
    made = plate(cutout, LOOKS["white"], CANVAS)
    photo = on_canvas(np.full(cutout.alpha.shape, 255, np.uint8), made)
    size = 2 * round(0.4 * cutout.face.pupil_distance * float(np.hypot(*made.matrix[0, :2]))) + 1
    seen = cv2.erode(photo, np.ones((1, size), np.uint8)) > 127
    inside = (made.alpha > 0.5).astype(np.uint8)
    (outline, *_), _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    x, y = outline[:, 0].T
    kept = ~seen[y, x] & (x > 0) & (x < CANVAS[0] - 1)
    runs = np.bincount(x[kept], minlength=CANVAS[0])
    return float(np.convolve(runs, [1, 1, 1], "same").max() / CANVAS[1])


@pytest.mark.parametrize(("left", "right"), [(1.8, 9), (9, 1.8), (1.8, 1.8)], ids=["left", "right", "both"])
def test_a_shoulder_that_the_photo_cuts_goes_on_as_a_shoulder(
    hopper: Photo, cut: Cut, finder: FaceFinder, studio: Studio, left: float, right: float
) -> None:
    tight = studio.cut_out(finder.find(crop(cut(hopper).face, left, 9, right, 9)))
    assert longest_wall(tight) < 0.05  # it was 0.13 and 0.17
    assert plate(tight, LOOKS["white"], CANVAS).alpha[-40, [0, -1]].min() > 0.9  # and fills the corners


@pytest.mark.parametrize("name", ["L000557", "C000059", "D000632", "020527"])
def test_shoulders_higher_than_the_chin_are_not_cut_square(
    portraits: Path, finder: FaceFinder, studio: Studio, name: str
) -> None:
    pixels = np.asarray(Image.open(portraits / "train" / f"{name}.jpg").convert("RGB"))
    large = cv2.resize(pixels, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    assert longest_wall(studio.cut_out(finder.find(Photo(np.asarray(large, np.uint8))))) < 0.025


# Many people


def test_everybody_is_cut_out(portraits: Path, finder: FaceFinder, studio: Studio) -> None:
    for path in sorted((portraits / "test").glob("*.jpg")):
        cutout = studio.cut_out(finder.find(Photo(np.asarray(Image.open(path).convert("RGB")))))
        assert cutout.alpha[oval(cutout.face)].min() == 1, path.stem
        assert cutout.alpha[far(cutout.face)].mean() < 0.05, path.stem
        ratios = face_ratios(cutout, plate(cutout, LOOKS["grey"], (256, 320)))
        assert np.ptp(np.median(ratios, axis=0)) < 0.03, path.stem
