"""Finding the sitter, and what each selfie is told: on real portraits and on pictures made from them."""

import csv
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from errors import PhotoError
from pipelines.mesh import OVAL, Angles
from pipelines.selfie.check import judge
from pipelines.selfie.face import Face, FaceFinder, best_of, require_good, silence_mediapipe
from pipelines.selfie.photo import Photo
from words import read_words

pytestmark = pytest.mark.draws

Pixels = NDArray[np.uint8]

DARK, MID, LIGHT = "021137", "021726", "022139"  # sitters of `test/` by the tone of their skin
CLOSED, TURNED, HAT, GLASSES = "029309", "029369", "021118", "029138"  # of `train/`
WELL_LIT = [DARK, "021979", "021545", MID, "021110", "021309", LIGHT, "021961", "021507"]
RIGHT_LIDS = [33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7]
LEFT_LIDS = [263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249]
BELOW_RIGHT_EYE, BELOW_LEFT_EYE = [119, 120, 100], [348, 349, 329]


@pytest.fixture
def of_test(portraits: Path) -> Callable[[str], Photo]:
    return lambda name: opened(portraits / "test" / f"{name}.jpg")


@pytest.fixture
def of_train(portraits: Path) -> Callable[[str], Photo]:
    return lambda name: opened(portraits / "train" / f"{name}.jpg")


def opened(path: Path) -> Photo:
    return Photo(np.array(Image.open(path).convert("RGB")))


def lit(photo: Photo, gain: float) -> Photo:
    """The same scene with `gain` times the light."""
    linear = (photo.pixels / 255.0) ** 2.2 * gain
    return Photo((np.clip(linear, 0, 1) ** (1 / 2.2) * 255).round().astype(np.uint8))


def moved(photo: Photo, length: int, degrees: float) -> Photo:
    """Blurred along a line of `length` px: the camera or the sitter moved."""
    kernel, middle = np.zeros((length, length), np.float32), (length - 1) / 2
    x, y = middle * np.cos(np.radians(degrees)), middle * np.sin(np.radians(degrees))
    ends = [(round(middle + side * x), round(middle + side * y)) for side in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return Photo(cv2.filter2D(photo.pixels, -1, kernel / kernel.sum()))


def rotated(photo: Photo, degrees: float) -> Photo:
    """Turned clockwise in the picture."""
    height, width = photo.pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    return Photo(cv2.warpAffine(photo.pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))


def mirrored(photo: Photo) -> Photo:
    return Photo(np.ascontiguousarray(photo.pixels[:, ::-1]))


def far_away(face: Face, pupils: float, canvas: tuple[int, int] = (1280, 960)) -> Photo:
    """The same portrait at the bottom of a large wall, pupils so many px apart."""
    share = pupils / face.pupil_distance
    small = cv2.resize(face.photo.pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    wall = np.random.default_rng(0).normal((120, 125, 118), 5, (canvas[1], canvas[0], 3))
    wall = wall.clip(0, 255).astype(np.uint8)
    wall[canvas[1] - small.shape[0] :, 600 : 600 + small.shape[1]] = small
    return Photo(wall)


def beside(one: Photo, other: Photo, share: float = 1.0) -> Photo:
    """Two people in one picture, the second so much smaller."""
    height = one.pixels.shape[0]
    scale = share * height / other.pixels.shape[0]
    second = cv2.resize(other.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    both = np.full((height, one.pixels.shape[1] + second.shape[1], 3), 128, np.uint8)
    both[:, : one.pixels.shape[1]] = one.pixels
    both[height - second.shape[0] :, one.pixels.shape[1] :] = second[:height]
    return Photo(both)


def with_closed_eyes(face: Face, eyes: str = "both") -> Photo:
    """Lids painted over the eyes in the colour of the skin below, with a line of lashes."""
    picture = face.photo.pixels.astype(np.float32)
    sides = [(RIGHT_LIDS, BELOW_RIGHT_EYE), (LEFT_LIDS, BELOW_LEFT_EYE)]
    for lids, below in sides if eyes == "both" else sides[:1]:
        edge = face.landmarks[lids, :2]
        edge = edge.mean(axis=0) + (edge - edge.mean(axis=0)) * 1.25
        skin = np.median([face.photo.pixels[int(y), int(x)] for x, y in face.landmarks[below, :2]], axis=0)
        lid = cv2.fillPoly(np.zeros(picture.shape[:2], np.float32), [edge.astype(np.int32)], 1)
        lid = cv2.GaussianBlur(lid, (0, 0), 1)[..., None]
        picture = picture * (1 - lid) + skin * lid
        lashes = face.landmarks[lids[8:] + lids[:1], :2].astype(np.int32)
        cv2.polylines(picture, [lashes], False, (skin * 0.45).tolist(), 1, cv2.LINE_AA)
    return Photo(picture.clip(0, 255).astype(np.uint8))


def with_sunglasses(face: Face) -> Photo:
    picture = face.photo.pixels.copy()
    for x, y in face.pupils:
        axes = (int(0.42 * face.pupil_distance), int(0.3 * face.pupil_distance))
        cv2.ellipse(picture, (int(x), int(y)), axes, 0, 0, 360, (22, 20, 24), -1, cv2.LINE_AA)
    (ax, ay), (bx, by) = face.pupils
    cv2.line(picture, (int(ax), int(ay)), (int(bx), int(by)), (22, 20, 24), 3, cv2.LINE_AA)
    return Photo(picture)


def from_behind(face: Face) -> Photo:
    """The sitter's own hair, from above the forehead, over the whole face."""
    picture, size = face.photo.pixels, face.pupil_distance
    oval = face.landmarks[list(OVAL), :2]
    oval = oval.mean(axis=0) + (oval - oval.mean(axis=0)) * (1.22, 1.18)
    x, y = face.landmarks[10, :2]
    hair = picture[
        max(0, int(y - 0.75 * size)) : int(y - 0.12 * size), int(x - 0.8 * size) : int(x + 0.8 * size)
    ]
    left, top = oval.min(axis=0).astype(int) - 10
    width, height = (np.ptp(oval, axis=0) + 20).astype(int)
    hair = cv2.resize(hair, (int(width), hair.shape[0]))
    strands = [hair if index % 2 == 0 else hair[::-1] for index in range(height // len(hair) + 1)]
    covered = picture.copy()
    covered[top : top + height, left : left + width] = np.vstack(strands)[:height]
    soft = cv2.fillPoly(np.zeros(picture.shape[:2], np.float32), [oval.astype(np.int32)], 1)
    soft = cv2.GaussianBlur(soft, (0, 0), 0.06 * size)[..., None]
    return Photo((picture * (1 - soft) + covered * soft).astype(np.uint8))


def verdict(finder: FaceFinder, photo: Photo) -> str:
    try:
        return finder.find(photo).verdict.key
    except PhotoError as error:
        return error.key


# Who passes.


def test_the_two_portraits_that_our_dependencies_carry_pass(
    finder: FaceFinder, astronaut: Photo, hopper: Photo
) -> None:
    assert [verdict(finder, photo) for photo in (astronaut, hopper)] == ["camera.good"] * 2


def test_portraits_of_all_tones_pass(finder: FaceFinder, portraits: Path) -> None:
    verdicts = Counter(verdict(finder, opened(path)) for path in (portraits / "test").glob("*.jpg"))
    assert verdicts.total() == 24
    assert verdicts["camera.good"] >= 23


def test_no_tone_of_skin_fails_more_often_than_another(finder: FaceFinder, portraits: Path) -> None:
    """Portraits that were not enlarged: what differs between the bands is then not their sharpness."""
    with (portraits / "train.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if float(row["native_scale"]) >= 0.4]
    for low, high in ((-99, 10), (10, 38), (38, 99)):
        band = [row["file"] for row in rows if low < float(row["skin_ita"]) <= high]
        band = band[:: len(band) // 50][:50]
        verdicts = Counter(verdict(finder, opened(portraits / "train" / name)) for name in band)
        assert verdicts["camera.good"] >= 49, verdicts


def test_glasses_hats_and_sunglasses_pass(
    finder: FaceFinder, of_train: Callable[[str], Photo], astronaut: Photo, hopper: Photo
) -> None:
    dressed = [of_train(HAT), of_train(GLASSES)]
    dressed += [with_sunglasses(finder.find(photo)) for photo in (astronaut, hopper)]
    assert [verdict(finder, photo) for photo in dressed] == ["camera.good"] * 4


# What is found.


def test_points_and_mask_lie_where_the_sitter_is(finder: FaceFinder, hopper: Photo) -> None:
    face = finder.find(hopper)
    assert face.landmarks.shape == (478, 3) and face.landmarks.dtype == np.float32
    assert face.body.shape == (33, 4) and face.body.dtype == np.float32
    assert face.mask.shape == hopper.pixels.shape[:2] and face.mask.dtype == np.float32
    x, y = face.landmarks[4, :2].astype(int)
    assert face.mask[y, x] > 0.9 and face.mask[5, -5] < 0.1
    assert not any(array.flags.writeable for array in (face.landmarks, face.body, face.mask))


def test_the_sitters_right_lies_left_in_the_picture(finder: FaceFinder, hopper: Photo) -> None:
    face = finder.find(hopper)
    right, left = face.pupils
    assert right[0] < left[0]
    assert face.body[12, 0] < right[0] < left[0] < face.body[11, 0]
    for (x, y), neighbour in zip(face.pupils, (33, 263), strict=True):  # dark iris, lighter beside the eye
        iris, skin = (
            hopper.pixels[int(y), int(x)],
            hopper.pixels[tuple(face.landmarks[neighbour, 1::-1].astype(int))],
        )
        assert iris.mean() < skin.mean()


def test_a_large_photo_gives_the_same_face_in_its_own_pixels(finder: FaceFinder, hopper: Photo) -> None:
    large = Photo(cv2.resize(hopper.pixels, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC))
    small, big = finder.find(hopper), finder.find(large)
    assert big.mask.shape == large.pixels.shape[:2]
    assert np.abs(big.landmarks[:, :2] / 5 - small.landmarks[:, :2]).max() < 0.06 * small.pupil_distance


@pytest.mark.parametrize("degrees", [-10, 10])
def test_roll_follows_the_picture(
    finder: FaceFinder, astronaut: Photo, hopper: Photo, degrees: float
) -> None:
    for photo in (astronaut, hopper):
        assert finder.find(rotated(photo, degrees)).roll - finder.find(photo).roll == pytest.approx(
            degrees, abs=2
        )


def test_yaw_follows_the_look_and_changes_sign_in_a_mirror(
    finder: FaceFinder, of_train: Callable[[str], Photo]
) -> None:
    turned = of_train(TURNED)  # looks to the picture's right
    yaw, mirror = finder.find(turned).yaw, finder.find(mirrored(turned)).yaw
    assert yaw > 20 and mirror == pytest.approx(-yaw, abs=4)


def test_yaw_of_many_portraits_changes_sign_in_a_mirror(finder: FaceFinder, portraits: Path) -> None:
    photos = [opened(path) for path in sorted((portraits / "test").glob("*.jpg"))]
    found = [(finder.find(photo), finder.find(mirrored(photo))) for photo in photos]
    assert np.abs([face.yaw + mirror.yaw for face, mirror in found]).max() < 5
    assert np.abs([face.roll + mirror.roll for face, mirror in found]).max() < 3
    assert np.abs([face.pitch - mirror.pitch for face, mirror in found]).max() < 5


def test_posed_portraits_look_straight_ahead(finder: FaceFinder, portraits: Path) -> None:
    faces = [finder.find(opened(path)) for path in sorted((portraits / "test").glob("*.jpg"))]
    for angle in ("yaw", "pitch", "roll"):
        assert abs(np.median([getattr(face, angle) for face in faces])) < 5


# What fails, and as what.


def test_nobody_is_no_face(finder: FaceFinder) -> None:
    from skimage.data import chelsea, coffee, rocket

    plain = [np.full((480, 640, 3), grey, np.uint8) for grey in (0, 128, 255)]
    for pixels in [*plain, chelsea(), coffee(), rocket()]:
        with pytest.raises(PhotoError, match=r"^face\.none$"):
            finder.find(Photo(np.array(pixels)))


def test_two_people_are_too_many_and_are_counted(finder: FaceFinder, astronaut: Photo, hopper: Photo) -> None:
    with pytest.raises(PhotoError, match=r"^face\.many$") as two:
        finder.find(beside(hopper, hopper))
    with pytest.raises(PhotoError, match=r"^face\.many$") as three:
        finder.find(beside(beside(hopper, hopper), hopper))
    assert (two.value.values, three.value.values) == ({"n": 2}, {"n": 3})


def test_a_small_bystander_is_not_the_sitter(finder: FaceFinder, hopper: Photo, astronaut: Photo) -> None:
    face = finder.find(beside(hopper, astronaut, 0.6))
    assert face.verdict.good
    assert face.pupils[:, 0].max() < hopper.pixels.shape[1]


@pytest.mark.parametrize("pupils", [37, 30, 25])
def test_a_far_face_is_small_not_missing(finder: FaceFinder, hopper: Photo, pupils: int) -> None:
    far = finder.find(far_away(finder.find(hopper), pupils))
    assert far.verdict.key == "face.small"
    assert far.verdict.values["wanted"] == 40
    assert abs(int(str(far.verdict.values["found"])) - pupils) <= 3


def test_far_faces_of_all_tones_are_small(finder: FaceFinder, of_test: Callable[[str], Photo]) -> None:
    far = [far_away(finder.find(of_test(name)), 30) for name in WELL_LIT]
    assert [verdict(finder, photo) for photo in far] == ["face.small"] * len(far)


def test_a_tenth_of_the_light_is_dark_and_a_third_is_enough_whatever_the_skin(
    finder: FaceFinder, of_test: Callable[[str], Photo]
) -> None:
    for name in WELL_LIT:
        assert verdict(finder, lit(of_test(name), 0.1)) == "face.dark"
        assert verdict(finder, lit(of_test(name), 0.3)) == "camera.good"


def test_far_too_much_light_is_bright_and_a_little_more_is_not_whatever_the_skin(
    finder: FaceFinder, of_test: Callable[[str], Photo]
) -> None:
    for name in WELL_LIT:
        assert verdict(finder, lit(of_test(name), 6)) == "face.bright"
        assert verdict(finder, lit(of_test(name), 1.25)) == "camera.good"


@pytest.mark.parametrize("degrees", [0, 45, 90, 135])
def test_motion_in_any_direction_is_blur(
    finder: FaceFinder, astronaut: Photo, hopper: Photo, degrees: int
) -> None:
    for photo, length in ((astronaut, 13), (hopper, 25)):  # 0.3 pupil distances
        assert verdict(finder, moved(photo, length, degrees)) == "face.blur"


def test_out_of_focus_is_blur_whatever_the_skin(
    finder: FaceFinder, of_test: Callable[[str], Photo], hopper: Photo
) -> None:
    blurred = [Photo(cv2.GaussianBlur(of_test(name).pixels, (0, 0), 3)) for name in WELL_LIT]
    blurred.append(Photo(cv2.GaussianBlur(hopper.pixels, (0, 0), 4)))
    assert [verdict(finder, photo) for photo in blurred] == ["face.blur"] * len(blurred)


def test_a_head_turned_away_is_turned(finder: FaceFinder, of_train: Callable[[str], Photo]) -> None:
    from skimage.data import camera

    cameraman = Photo(np.repeat(camera()[..., None], 3, axis=2))  # in profile
    assert verdict(finder, cameraman) == "face.turned"
    assert verdict(finder, of_train(TURNED)) == "face.turned"


@pytest.mark.parametrize(
    ("held", "key"),
    [
        (Angles(24, 0, 0), "camera.good"),
        (Angles(-26, 0, 0), "face.turned"),
        (Angles(0, 26, 0), "face.turned"),
        (Angles(0, -26, 0), "face.turned"),
        (Angles(0, 0, 40), "camera.good"),
    ],
)
def test_looking_aside_up_or_down_is_turned_and_a_tilted_head_is_not(
    finder: FaceFinder, hopper: Photo, held: Angles, key: str
) -> None:
    face = finder.find(hopper)
    assert judge(hopper.pixels, face.landmarks, held, face.mask).key == key


def test_closed_eyes_are_noticed(finder: FaceFinder, of_train: Callable[[str], Photo]) -> None:
    assert verdict(finder, of_train(CLOSED)) == "face.eyes"


def test_painted_lids_are_closed_eyes_and_a_wink_is_not(
    finder: FaceFinder, of_test: Callable[[str], Photo], hopper: Photo
) -> None:
    for photo in [hopper, *(of_test(name) for name in (DARK, "021979", "021309", LIGHT, "021961"))]:
        face = finder.find(photo)
        assert verdict(finder, with_closed_eyes(face)) == "face.eyes"
        assert verdict(finder, with_closed_eyes(face, "right")) == "camera.good"


def test_narrow_and_smiling_eyes_are_open(finder: FaceFinder, of_train: Callable[[str], Photo]) -> None:
    narrowest = ("K000388", "021118", "021533", "C001056", "029138", "021554", "F000462", "021168")
    assert [verdict(finder, of_train(name)) for name in narrowest] == ["camera.good"] * 8


def test_the_back_of_a_head_is_not_a_face(finder: FaceFinder, of_test: Callable[[str], Photo]) -> None:
    for name in ("021738", "021507", "022155", "021726", "021527"):
        face = finder.find(from_behind(finder.find(of_test(name))))
        assert face.verdict.key == "face.back"
        assert np.isnan(face.landmarks).all() and face.mask.mean() > 0.1


def test_every_verdict_has_its_sentence(finder: FaceFinder, hopper: Photo) -> None:
    words = read_words()
    keys = ("none", "dark", "bright", "blur", "turned", "eyes", "back")
    sentences = [words.say(f"face.{key}") for key in keys] + [words.say("camera.good")]
    sentences.append(words.say("face.many", n=2))
    small = finder.find(far_away(finder.find(hopper), 30)).verdict
    sentences.append(words.say(small.key, **small.values))
    assert len(set(sentences)) == 10


def test_a_selfie_that_will_not_do_is_refused_with_its_values(finder: FaceFinder, hopper: Photo) -> None:
    good = finder.find(hopper)
    assert require_good(good) is good
    with pytest.raises(PhotoError) as refused:
        require_good(finder.find(far_away(good, 30)))
    assert refused.value.key == "face.small" and set(refused.value.values) == {"wanted", "found"}


# Which of several.


def test_the_best_selfie_is_good_sharp_large_and_frontal(
    finder: FaceFinder, astronaut: Photo, hopper: Photo, of_train: Callable[[str], Photo]
) -> None:
    sharp = finder.find(hopper)
    soft = finder.find(Photo(cv2.GaussianBlur(hopper.pixels, (0, 0), 1.6)))
    small = finder.find(Photo(cv2.resize(hopper.pixels, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)))
    turned = finder.find(of_train(TURNED))
    back = Face(
        sharp.photo, np.full_like(sharp.landmarks, np.nan), sharp.body, sharp.mask, 0, 0, 0, turned.verdict
    )
    assert best_of([soft, sharp, small]) == 1
    assert best_of([back, turned, small, sharp]) == 3
    assert best_of([turned, back]) == 0


# The machine.


def test_a_closed_finder_opens_again_and_finds_the_same(hopper: Photo) -> None:
    finder = FaceFinder()
    finder.warm()
    first = finder.find(hopper)
    finder.close()
    second = finder.find(hopper)
    finder.close()
    assert np.array_equal(first.landmarks, second.landmarks) and np.array_equal(first.mask, second.mask)


def test_threads_may_share_a_finder(finder: FaceFinder, astronaut: Photo, hopper: Photo) -> None:
    photos = [astronaut, hopper] * 3
    alone = [finder.find(photo).landmarks for photo in photos]
    found: dict[int, NDArray[np.float32]] = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: finder.find(photos[i]).landmarks}))
        for i in range(len(photos))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[i], alone[i]) for i in range(len(photos)))


def test_stderr_stays_clean() -> None:
    program = """
import numpy as np
from skimage.data import astronaut
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
with FaceFinder() as finder:
    print(finder.find(Photo(np.array(astronaut()))).verdict.key)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("camera.good\n", "")


def test_what_others_write_while_mediapipe_is_silenced_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    with silence_mediapipe(), silence_mediapipe():
        os.write(2, b"W0000 00:00:1.5 123 graph.cc:1] Feedback manager\nuvicorn: something broke\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "uvicorn: something broke\nafter\n"


def test_importing_the_module_does_not_import_mediapipe() -> None:
    program = (
        "import sys, pipelines.selfie.face, pipelines.draw.pose_map; print([m for m in sys.modules if m in "
    )
    program += "('mediapipe', 'torch', 'controlnet_aux')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
