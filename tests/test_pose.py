"""From a face to the control image: framing, keypoints, and a drawing that OpenPose's readers know."""

import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipelines.draw.pose_map import draw_mesh, draw_pose, limb_half_width, pose_map
from pipelines.look import Framing
from pipelines.plate.framing import framing_matrix
from pipelines.selfie.check import SelfieVerdict
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.photo import Photo

pytestmark = pytest.mark.draws

FRAMING = Framing(head_height=0.42, eye_line=0.4)
CANVASES = [(256, 320), (512, 640), (896, 1120), (1080, 1350)]
NOSE, NECK, RIGHT_SHOULDER, LEFT_SHOULDER, RIGHT_EYE, LEFT_EYE, RIGHT_EAR, LEFT_EAR = (
    0,
    1,
    2,
    5,
    14,
    15,
    16,
    17,
)


@pytest.fixture(scope="module")
def faces(astronaut: Photo, hopper: Photo) -> list[Face]:
    with FaceFinder() as finder:
        return [finder.find(photo) for photo in (astronaut, hopper)]


@pytest.fixture(scope="module")
def portraits_found(portraits: Path) -> list[Face]:
    with FaceFinder() as finder:
        paths = sorted((portraits / "test").glob("*.jpg"))
        return [finder.find(Photo(np.array(Image.open(path).convert("RGB")))) for path in paths]


@pytest.fixture(scope="module")
def openpose() -> Iterator[ModuleType]:
    """controlnet_aux's own renderer: the witness. Tests may import it, the product does not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from controlnet_aux.open_pose import util

        yield util


def rendered(
    openpose: ModuleType, keypoints: NDArray[np.float32], canvas: tuple[int, int]
) -> NDArray[np.uint8]:
    width, height = canvas
    points = [
        openpose.Keypoint(float(x) / width, float(y) / height) if np.isfinite(x) else None
        for x, y in keypoints.astype(np.float64)
    ]
    drawn: NDArray[np.uint8] = openpose.draw_bodypose(np.zeros((height, width, 3), np.uint8), points)
    return drawn


def onto(matrix: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.float32]:
    moved: NDArray[np.float32] = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


# Framing.


@pytest.mark.parametrize("canvas", CANVASES)
def test_pupils_are_level_centred_and_on_the_eye_line(faces: list[Face], canvas: tuple[int, int]) -> None:
    for face in faces:
        right, left = onto(framing_matrix(face, FRAMING, canvas), face.pupils)
        assert right[1] == pytest.approx(left[1], abs=0.01)
        assert (right[0] + left[0]) / 2 == pytest.approx(canvas[0] / 2, abs=0.01)
        assert right[1] == pytest.approx(FRAMING.eye_line * canvas[1], abs=0.01)
        assert right[0] < left[0], "never mirrored"


@pytest.mark.parametrize("head_height", [0.3, 0.42, 0.6])
def test_the_head_is_as_tall_as_the_framing_says(portraits_found: list[Face], head_height: float) -> None:
    """Crown to chin by the person's mask, which knows nothing of pupils."""
    framing, canvas, heights = Framing(head_height=head_height, eye_line=0.45), (512, 640), []
    for face in portraits_found:
        matrix = framing_matrix(face, framing, canvas)
        mask = cv2.warpAffine(face.mask, matrix, canvas)
        chin, middle = onto(matrix, face.landmarks[152, :2]), onto(matrix, face.landmarks[4, :2])
        half = int(0.12 * head_height * canvas[1])
        column = (mask[:, int(middle[0]) - half : int(middle[0]) + half] > 0.5).mean(axis=1)
        crown = int(np.flatnonzero(column[: int(middle[1])] < 0.3).max())
        heights.append((chin[1] - crown) / canvas[1])
    assert np.median(heights) == pytest.approx(head_height, rel=0.03)
    assert np.percentile(np.abs(np.array(heights) / head_height - 1), 80) < 0.12


def test_a_turned_head_is_not_drawn_larger(faces: list[Face]) -> None:
    """Turned by 30 degrees the pupils come 13 % closer, the head does not shrink."""
    straight = faces[1]
    middle = straight.landmarks.mean(axis=0)
    closer = (straight.landmarks - middle) * (np.cos(np.radians(30)), 1, 1) + middle
    turned = replace(straight, landmarks=closer.astype(np.float32), yaw=30.0)
    scales = [np.linalg.norm(framing_matrix(face, FRAMING, (512, 640))[0, :2]) for face in (straight, turned)]
    assert scales[1] == pytest.approx(scales[0], rel=0.02)


def test_an_unbelievable_yaw_does_not_shrink_the_head_without_bound(faces: list[Face]) -> None:
    scales = [
        np.linalg.norm(framing_matrix(replace(faces[1], yaw=yaw), FRAMING, (512, 640))[0, :2])
        for yaw in (0.0, 80.0)
    ]
    assert scales[1] == pytest.approx(0.8 * scales[0], rel=0.001)


# Keypoints.


def test_only_head_and_shoulders_are_drawn(faces: list[Face]) -> None:
    for face in faces:
        pose = pose_map(face, FRAMING, (512, 640))
        drawn = set(np.flatnonzero(np.isfinite(pose.keypoints).all(axis=1)).tolist())
        assert drawn == {0, 1, 2, 5, 14, 15, 16, 17}
        assert pose.keypoints.dtype == np.float32 and pose.image.dtype == np.uint8
        assert pose.image.shape == (640, 512, 3)
        assert not pose.keypoints.flags.writeable and not pose.image.flags.writeable


def test_the_sitters_right_lies_left_and_the_head_above_the_neck(portraits_found: list[Face]) -> None:
    for face in portraits_found:
        points = pose_map(face, FRAMING, (512, 640)).keypoints
        x, y = points[:, 0], points[:, 1]
        assert x[RIGHT_SHOULDER] < x[NECK] < x[LEFT_SHOULDER]
        assert x[RIGHT_EYE] < x[NOSE] < x[LEFT_EYE]
        assert x[RIGHT_EAR] < x[RIGHT_EYE] and x[LEFT_EYE] < x[LEFT_EAR]
        assert max(y[RIGHT_EYE], y[LEFT_EYE]) < y[NOSE] < y[NECK]


def test_the_limbs_of_the_sitters_right_have_their_colours_on_the_left(faces: list[Face]) -> None:
    """OpenPose draws the right shoulder dark red, the left brown, the right eye violet, the left magenta."""
    image = pose_map(faces[1], FRAMING, (512, 640)).image

    def middle(colour: tuple[int, int, int]) -> float:
        return float(np.flatnonzero((image == colour).all(axis=2).any(axis=0)).mean())

    neck = middle((255, 85, 0))
    assert middle((153, 0, 0)) < neck < middle((153, 51, 0))  # 60 % of (255, 0, 0) and of (255, 85, 0)
    assert middle((255, 170, 0)) < neck < middle((85, 255, 0))  # right and left shoulder
    assert middle((170, 0, 255)) < neck < middle((255, 0, 255))  # right and left eye
    assert middle((255, 0, 170)) < neck < middle((255, 0, 85))  # right and left ear


def test_a_mirrored_sitter_gives_a_mirrored_pose(hopper: Photo, faces: list[Face]) -> None:
    with FaceFinder() as finder:
        mirror = finder.find(Photo(np.ascontiguousarray(hopper.pixels[:, ::-1])))
    straight = pose_map(faces[1], FRAMING, (512, 640)).keypoints
    swapped = pose_map(mirror, FRAMING, (512, 640)).keypoints[[0, 1, 5, 2, 15, 14, 17, 16]]
    expected = straight[[0, 1, 2, 5, 14, 15, 16, 17]] * (-1, 1) + (512, 0)
    assert np.abs(swapped - expected).max() < 14  # px; a fifth of the pupil distance


def test_a_turned_head_hides_the_far_ear(faces: list[Face], portraits: Path) -> None:
    with FaceFinder() as finder:
        turned = finder.find(Photo(np.array(Image.open(portraits / "train" / "029369.jpg").convert("RGB"))))
        photo = Photo(np.ascontiguousarray(turned.photo.pixels[:, ::-1]))
        mirrored = finder.find(photo)
    points = pose_map(turned, FRAMING, (512, 640)).keypoints  # looks to the picture's right
    assert np.isnan(points[LEFT_EAR]).all() and np.isfinite(points[RIGHT_EAR]).all()
    points = pose_map(mirrored, FRAMING, (512, 640)).keypoints
    assert np.isnan(points[RIGHT_EAR]).all() and np.isfinite(points[LEFT_EAR]).all()
    for face in faces:
        assert np.isfinite(pose_map(face, FRAMING, (512, 640)).keypoints[[RIGHT_EAR, LEFT_EAR]]).all()


def test_a_close_selfie_gets_shoulders_like_those_of_the_whole_portrait(portraits_found: list[Face]) -> None:
    """Cropped to the head, MediaPipe's own shoulders are 0.15 of the span narrow and too high."""
    ours, theirs = [], []
    with FaceFinder() as finder:
        for face in portraits_found[::2]:
            (x, y), size = face.pupils.mean(axis=0), face.pupil_distance
            left, top = max(0, int(x - 1.8 * size)), max(0, int(y - 1.8 * size))
            crop = face.photo.pixels[top : int(y + 2.4 * size), left : int(x + 1.8 * size)]
            close = finder.find(Photo(np.ascontiguousarray(crop)))
            matrix = framing_matrix(close, FRAMING, (512, 640))
            truth = onto(framing_matrix(face, FRAMING, (512, 640)), face.body[[12, 11], :2])
            unit = np.linalg.norm(matrix[0, :2]) * close.pupil_distance
            ours.append((pose_map(close, FRAMING, (512, 640)).keypoints[[2, 5]] - truth) / unit)
            theirs.append((onto(matrix, close.body[[12, 11], :2]) - truth) / unit)
    off, off_theirs = (np.sqrt(np.square(np.array(each)).sum(axis=2).mean()) for each in (ours, theirs))
    assert off < 0.6 and off < 0.85 * off_theirs


def test_without_a_body_the_average_shoulders_stand_symmetric(faces: list[Face]) -> None:
    bodiless = replace(faces[1], body=np.full((33, 4), np.nan, np.float32), yaw=0.0)
    points = pose_map(bodiless, FRAMING, (512, 640)).keypoints
    assert points[RIGHT_SHOULDER, 1] == pytest.approx(points[LEFT_SHOULDER, 1], abs=0.01)
    assert points[NECK, 0] == pytest.approx(256, abs=0.1)


# Drawing.


def test_the_drawing_is_pixel_equal_to_controlnet_aux(
    openpose: ModuleType, faces: list[Face], portraits_found: list[Face]
) -> None:
    for canvas in CANVASES:
        for face in faces + portraits_found:
            points = pose_map(face, FRAMING, canvas).keypoints
            assert np.array_equal(draw_pose(points, canvas, 4), rendered(openpose, points, canvas))


def test_whole_bodies_are_pixel_equal_too(openpose: ModuleType) -> None:
    random = np.random.default_rng(7)
    for _ in range(40):
        points = random.uniform((-40, -40), (552, 680), (18, 2)).astype(np.float32)
        points[random.random(18) < 0.2] = np.nan
        assert np.array_equal(draw_pose(points, (512, 640), 4), rendered(openpose, points, (512, 640)))


@pytest.mark.parametrize(
    ("canvas", "width"),
    [
        ((256, 320), 4),
        ((399, 499), 4),
        ((400, 500), 8),
        ((896, 1120), 12),
        ((1080, 1350), 12),
        ((4800, 6000), 28),
    ],
)
def test_lines_are_as_wide_as_in_the_controlnets_training(canvas: tuple[int, int], width: int) -> None:
    assert limb_half_width(canvas) == width


def test_the_map_uses_that_width(faces: list[Face]) -> None:
    for canvas in CANVASES:
        pose = pose_map(faces[1], FRAMING, canvas)
        assert np.array_equal(pose.image, draw_pose(pose.keypoints, canvas, limb_half_width(canvas)))


def test_a_small_map_survives_the_controlnets_eightfold_reduction(faces: list[Face]) -> None:
    image = pose_map(faces[1], Framing(head_height=0.62, eye_line=0.42), (256, 320)).image
    small = cv2.resize(image, (32, 40), interpolation=cv2.INTER_AREA)
    lit = small.max(axis=2) > 40
    assert lit[:, :10].any() and lit[:, 22:].any(), "shoulders to both sides"
    assert lit.sum() > 40
    assert cv2.connectedComponents(lit.astype(np.uint8), connectivity=8)[0] == 2, "one connected figure"


# How it saw you.


def test_the_mesh_is_drawn_where_the_face_is(faces: list[Face]) -> None:
    image = draw_mesh(faces[1])
    assert image.shape == (640, 512, 3) and image.dtype == np.uint8
    drawn = image.any(axis=2)
    assert 0.02 < drawn.mean() < 0.2, "points and lines on black"
    columns, rows = np.flatnonzero(drawn.any(axis=0)), np.flatnonzero(drawn.any(axis=1))
    assert 60 < columns.min() < 180 and 332 < columns.max() < 452
    assert rows.max() - rows.min() > 250
    yellow, blue = (180, 200, 10), (10, 180, 200)
    yellow_at, blue_at = (np.flatnonzero((image == each).all(axis=2).any(axis=0)) for each in (yellow, blue))
    assert yellow_at.size and yellow_at.max() < 256, "the sitter's right eye, RGB, in the left half"
    assert not blue_at.size


def test_seeing_is_quiet() -> None:
    program = """
import numpy as np
from skimage.data import astronaut
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from pipelines.draw.pose_map import draw_mesh
with FaceFinder() as finder:
    print(draw_mesh(finder.find(Photo(np.array(astronaut())))).shape)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("(640, 512, 3)\n", "")


def test_the_product_never_names_openposes_code() -> None:
    source = Path(pose_map.__code__.co_filename).read_text(encoding="utf-8")
    assert "open_pose" not in source


def test_a_verdict_is_no_obstacle_to_a_map(faces: list[Face]) -> None:
    """Framing and pose need points, not a good selfie: the caller decides."""
    blurred = replace(faces[0], verdict=SelfieVerdict("face.blur"))
    assert np.isfinite(pose_map(blurred, FRAMING, (256, 320)).keypoints[NOSE]).all()
