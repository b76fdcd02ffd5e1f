"""Who else is in the picture, and which pixels are theirs: a face that gave no leave stays out of a plate.

Person masks do not tell people apart. Three things do: faces, found in the whole picture and its parts;
the body to which the sitter's face belongs (BlazePose's segmentation, asked with the other faces blurred);
and edges, along which what is left between the two is divided. What is theirs is painted over, all but a
seam along the sitter, and the person mask asked once more: it knows how a head and a shoulder end. Pictures
are uint8 (H, W, 3) sRGB, masks float32 (H, W) 0..1. Lengths are in pupil distances d of the sitter unless
they end in `_px`; constants come from scenes composed for `evaluation.scenes`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np

from errors import PhotoError
from pipelines.arrays import Array, Floats, Mask, Pixels
from pipelines.mesh import CHIN, NOSE_TIP, OVAL, Window, window
from pipelines.plate.masks import Segmenter, Site, blur, linear_step, resize, shrink_to
from pipelines.selfie.face import detected_boxes, silence_mediapipe
from pipelines.selfie.upright import LEFT_SHOULDER, RIGHT_SHOULDER

LEAST_SURE, SURE_ON_CHEST = 0.35, 0.8  # of another face: lower than of the sitter's, a poster's may go too
SURE_NEAR = (
    0.7  # by the near detector: half a face is .7 to .95, curls up to .8, so it only looks at a cut-out
)
CLOSE_SQUARE = 2.5  # side of what it looks at: a face fills half of it
TILE = 0.5  # of the picture's sides: a face as small as .3 of the sitter's is found in it
EDGE = 0.15  # of the longer side, so much room is added about the picture
OWN = 1.3  # a face whose middle is so near the sitter's eyes is the sitter's
SMALLEST_FACE = 0.45  # width; smaller ones cannot be told from patterns
# Seen only once the sitter's face is painted over: faces of scenes were 1.5 to 2.5 wide, patterns in 3 of 164
# portraits narrower.
SMALLEST_HIDDEN = 1.5
FACE = 0.9  # of a face's box: the ellipse that is surely somebody else
CROWN = 0.4  # of a face's height: so far up the same ellipse is their hair
TORSO = 1.2  # of a face's height: so far below it what is not the sitter's body is that person's
FIRM = 0.35  # person but not the sitter's body, so wide at least: surely somebody else
LEAST_FOUND = 0.6  # mean share of the chest, where the body was found
ASIDE, HEAD = (1.8, 3.6), 0.15  # from the sitter's eyes, and d2: where and how much of somebody turned away
NECK, SLOPE = (0.4, 0.4), 0.1  # beside and below the chin; so far below BlazePose's joints all is shoulder
USUAL = (
    1.4,
    1.2,
)  # beside and below the chin; BlazePose's joints lie 2.1 and 1.2 off in the median of 24 portraits
NARROW = 2.2  # shoulders closer to each other are not believed
SLEEVE, ARM = 0.9, 0.7  # beside the joints, and how steeply it falls: an arm that BlazePose may miss
INSET, COLUMN = 0.08, 1.05  # inside mask and body, and beside the middle of the head: surely the sitter
HEAD_ZONE, CORE = (1.5, 2.0), 0.5  # half axes about the eyes: all but a face's core may be the sitter's head
CLEAR, BESIDE = 0.3, 1.9  # so far over the line of the shoulders and beside the eyes nothing is the sitter's
SEAMS = 0.1, 0.2  # of others beside head and shoulders, left for the person mask to tell
GREY, REACH = np.uint8(128), 1.0  # the paint; so far from other people the mask stays as it was
RIM = 0.03  # about other people, where a matte would find them again
FACE_RIM = 1.15  # of the sitter's face oval, painted over so that a face beside it is found
PAINTED = 1.4  # of a face's box, painted over so that a body is not found by it
CLOSE, CLOSE_PX = 3.2, 720  # how far about the eyes a plate shows, and the longest side it is looked at
WATERSHED_PX = 480  # longest side at which edges divide people


class BystanderFinder:
    """MediaPipe's far face detector and BlazePose. Not thread-safe: `Studio` holds the lock."""

    def __init__(self) -> None:
        from mediapipe import solutions as of  # here: it takes 2 s, and the page opens before

        with silence_mediapipe():
            self._faces = of.face_detection.FaceDetection(
                model_selection=1, min_detection_confidence=LEAST_SURE
            )
            self._near = of.face_detection.FaceDetection(
                model_selection=0, min_detection_confidence=SURE_NEAR
            )
            self._body = of.pose.Pose(static_image_mode=True, model_complexity=1, enable_segmentation=True)

    def close(self) -> None:
        """Give the graphs back."""
        with silence_mediapipe():
            self._faces.close()
            self._near.close()
            self._body.close()

    def other_faces(self, pixels: Pixels, site: Site, hidden: float = SMALLEST_HIDDEN) -> Floats:
        """Boxes of faces that are not the sitter's, (n, 4): left, top, width, height px.

        `hidden` is the least width of one that is seen only without the sitter's.
        """
        mirrored, painted = _tiles(pixels, cv2.BORDER_REFLECT), _tiles(_without_face(pixels, site))
        boxes: list[Floats] = []
        with silence_mediapipe():
            for box in (
                *_others_in(mirrored, self._faces, pixels.shape, site, LEAST_SURE, SMALLEST_FACE),
                *_others_in(painted, self._faces, pixels.shape, site, LEAST_SURE, hidden),
            ):
                if not any(_same(box, known) for known in boxes):
                    boxes.append(box)
        return np.array(boxes).reshape(-1, 4)

    def is_face_beside(self, pixels: Pixels, site: Site) -> bool:
        """Whether the near detector sees half a face in what is beside the sitter's, enlarged."""
        beside = _beside(_without_face(pixels, site), site)
        with silence_mediapipe():
            return any(
                True for _ in _others_in(beside, self._near, pixels.shape, site, SURE_NEAR, SMALLEST_FACE)
            )

    def body(self, pixels: Pixels, site: Site, others: Floats) -> tuple[Array, Floats]:
        """The sitter's body by BlazePose: its share (H, W), and the shoulders (2, 2) px.

        The picture's left shoulder comes first. Asked twice: with the other faces painted over, that theirs
        are not the body found, then with all that is not this body painted over, which sharpens its outline.
        Without a body the share is 0.
        """
        if not len(others):
            return self._ask(pixels, site)
        away = draw_heads(pixels.shape, others, PAINTED) & ~head_column(pixels.shape, site)
        blurred = cv2.blur(pixels, (2 * round(0.04 * max(pixels.shape)) + 1,) * 2)
        for seen in (np.where(away[..., None], blurred, pixels), pixels):
            share, shoulders = self._ask(seen, site)
            chest = draw_chest(pixels.shape, site, shoulders, SLEEVE)
            if share[chest].mean() >= LEAST_FOUND:
                break
        if share[chest].mean() < LEAST_FOUND:
            return share, shoulders
        own = head_column(pixels.shape, site) | chest
        away = (away | (share < 0.3)) & ~own
        return self._ask(np.where(away[..., None], GREY, pixels), site)

    def _ask(self, pixels: Pixels, site: Site) -> tuple[Array, Floats]:
        with silence_mediapipe():
            found = self._body.process(pixels)
        if found.segmentation_mask is None:
            return np.zeros(pixels.shape[:2], np.float32), plausible_shoulders(None, site)
        ends = [found.pose_landmarks.landmark[n] for n in (RIGHT_SHOULDER, LEFT_SHOULDER)]
        shoulders = np.array([(end.x, end.y) for end in ends], np.float64) * pixels.shape[1::-1]
        return np.asarray(found.segmentation_mask, np.float32), plausible_shoulders(shoulders, site)


def sitter_mask(
    finder: BystanderFinder, segmenter: Segmenter, pixels: Pixels, mask: Array, site: Site
) -> Array:
    """What of a person mask is the sitter's, (H, W) 0..1: the mask itself when nobody else is there.

    Raises `PhotoError("face.many")` where others are and the sitter's body is not found among them.
    """
    others = finder.other_faces(pixels, site)
    small = np.ascontiguousarray(shrink_to(pixels, WATERSHED_PX))
    share = small.shape[1] / pixels.shape[1]
    person, near = resize(mask, small.shape[:2]), site.at(share)
    body, shoulders = finder.body(small, near, others * share)
    chest = draw_chest(small.shape, near, shoulders, SLEEVE)
    if len(others) and body[chest].mean() < LEAST_FOUND:
        raise PhotoError("face.many", n=1 + len(others))  # nothing says where the sitter ends
    theirs = somebody_else(person, body, near, others * share, shoulders)
    if not theirs.any():
        return mask
    own = sure_sitter(person, np.maximum(body, chest), near, theirs)
    found = divide_by_edges(small, person, own, theirs, near)
    away = resize(_without_seam(found > 0.5, near), mask.shape) > 0.5
    painted = np.where(away[..., None], GREY, pixels)
    again = np.minimum(mask, segmenter.mask(np.ascontiguousarray(painted)))
    reach = (2 * max(1, round(REACH * near.d)) + 1,) * 2
    beside = resize(cv2.blur(cv2.dilate(found, np.ones(reach, np.uint8)), reach), mask.shape).clip(0, 1)
    return np.asarray(mask + beside * (again - mask), np.float32)


def _without_seam(found: Mask, site: Site) -> Array:
    """Other people but for a seam along the sitter: narrow beside the head, where a face would show."""
    high, low = (
        cv2.erode(found.astype(np.uint8), np.ones((2 * max(1, round(seam * site.d)) + 1,) * 2, np.uint8))
        for seam in SEAMS
    )
    return np.where(site.below(CHIN, 0.1, found.shape) < 0.5, high, low).astype(np.float32)


def require_alone(finder: BystanderFinder, pixels: Pixels, alpha: Array, site: Site) -> None:
    """Look at what was cut out as close as a plate shows it.

    Raises `PhotoError("face.many")` where another face is still seen.
    """
    share = alpha[..., None]
    on_grey = (pixels * share + 128 * (1 - share)).astype(np.uint8)
    seen = window(on_grey, site.eyes, 2 * CLOSE * site.d, CLOSE_PX, least=CLOSE_PX)
    larger = seen.pixels.shape[1] / seen.width
    near = Site(
        (site.points - np.array([seen.left, seen.top], np.float32)) * np.float32(larger), site.d * larger
    )
    left_over = finder.other_faces(seen.pixels, near, SMALLEST_FACE)  # no patterns are left in it
    if len(left_over) or finder.is_face_beside(seen.pixels, near):
        raise PhotoError("face.many", n=1 + max(1, len(left_over)))


def draw_heads(shape: tuple[int, ...], others: Floats, size: float) -> Mask:
    """Ellipses about faces, `size` times theirs: (H, W)."""
    drawn = np.zeros(shape[:2], np.uint8)
    for left, top, width, height in others:
        middle = round(left + width / 2), round(top + height / 2)
        radii = max(1, round(size * width / 2)), max(1, round(size * height / 2))
        cv2.ellipse(drawn, middle, radii, 0, 0, 360, 1, -1)
    return drawn > 0


def head_column(shape: tuple[int, ...], site: Site) -> Mask:
    """Above the chin and about the middle of the face: the sitter's head, whatever stands behind."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    return np.asarray((np.abs(x - site.eyes[0]) < COLUMN * site.d) & (y < site.chin[1]), bool)


def draw_chest(shape: tuple[int, ...], site: Site, shoulders: Floats, beside: float) -> Mask:
    """What lies below the line from neck to shoulders, and `beside` them: the sitter stands in front."""
    chest = np.zeros(shape[:2], np.uint8)
    d, bottom = site.d, float(shape[0])
    neck = site.chin + np.array([0, NECK[1] * d])
    left, right = shoulders + np.array([0, SLOPE * d])
    arms, collar = np.array([beside * d, ARM * beside * d]), np.array([NECK[0] * d, 0])
    corners = (
        *(neck - collar, left, left + arms * (-1, 1), (left[0] - arms[0], bottom)),
        *((right[0] + arms[0], bottom), right + arms, right, neck + collar),
    )
    cv2.fillPoly(chest, [np.round(np.array(corners)).astype(np.int32)], 1)
    return chest > 0


def plausible_shoulders(shoulders: Floats | None, site: Site) -> Floats:
    """The shoulders if they are where those of this head can be, else where they are on most people."""
    if shoulders is not None:
        (left, right), d = shoulders, site.d
        centred = abs((left[0] + right[0]) / 2 - site.chin[0]) < 1.2 * d
        if centred and NARROW * d < right[0] - left[0] < 6 * d and min(left[1], right[1]) > site.chin[1]:
            return shoulders
    return np.asarray(site.chin + site.d * np.array([(-1, 1), (1, 1)]) * USUAL, np.float64)


def somebody_else(mask: Array, body: Array, site: Site, others: Floats, shoulders: Floats) -> Mask:
    """What is surely other people: faces, and persons above the sitter's shoulders that are not the sitter.

    Below the shoulders nothing is sure: arms lie there that BlazePose misses.
    """
    size = max(1, round(FIRM * site.d))
    loose = cv2.erode(((mask > 0.8) & (body < 0.1)).astype(np.uint8), np.ones((size, size), np.uint8))
    if not len(others):
        loose = _turned_away(loose, site)
    theirs = loose > 0
    y, x = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
    for left, top, width, height in others:
        below = slice(max(0, round(top + height)), max(0, round(top + (1 + TORSO) * height)))
        beside = slice(max(0, round(left)), max(0, round(left + width)))
        theirs[below, beside] |= body[below, beside] < 0.2
    theirs[int(shoulders[:, 1].min() + SLOPE * site.d) :] = False
    crowns = others - others[:, [3]] * (0, CROWN, 0, 0)
    theirs |= draw_heads(mask.shape, others, FACE) | (draw_heads(mask.shape, crowns, FACE) & (body < 0.3))
    near = np.hypot((x - site.eyes[0]) / HEAD_ZONE[0], (y - site.eyes[1]) / HEAD_ZONE[1]) < site.d
    theirs &= ~near | draw_heads(mask.shape, others, CORE)
    if len(others):
        theirs |= _clear_of_shoulders(mask.shape, site, shoulders) & (mask > 0.8) & (body < 0.5)
    return np.asarray(theirs & ~head_column(mask.shape, site), bool)


def _clear_of_shoulders(shape: tuple[int, ...], site: Site, shoulders: Floats) -> Mask:
    """What lies over the line from neck to shoulders, and beside the head: (H, W)."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    left, right = shoulders + np.array([0, SLOPE * site.d])
    neck = site.chin[1] + NECK[1] * site.d
    collar = site.chin[0] + np.array([-NECK[0], NECK[0]]) * site.d
    line = np.interp(x[0], [left[0], *collar, right[0]], [left[1], neck, neck, right[1]])
    beside = np.abs(x - site.eyes[0]) > BESIDE * site.d
    return np.asarray((y < line - CLEAR * site.d) & beside, bool)


def _turned_away(loose: Array, site: Site) -> Array:
    """The parts that can be somebody whose face is not seen: a head's height, beside the sitter's head."""
    y, x = np.mgrid[0 : loose.shape[0], 0 : loose.shape[1]]
    aside = np.abs(x - site.eyes[0]) / site.d
    loose = loose * ((y < site.chin[1]) & (aside > ASIDE[0]) & (aside < ASIDE[1])).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(loose)
    heads = [n for n in range(1, count) if stats[n, cv2.CC_STAT_AREA] > HEAD * site.d**2]
    return np.isin(labels, heads).astype(np.uint8)


def sure_sitter(mask: Array, body: Array, site: Site, theirs: Mask) -> Mask:
    """What is surely the sitter: the face, the head about it, and where mask and body agree inside."""
    agreed = (np.minimum(mask, body) > 0.7).astype(np.uint8)
    inset = 2 * max(1, round(INSET * site.d)) + 1
    agreed = cv2.erode(agreed, np.ones((inset, inset), np.uint8), borderValue=1)
    y, x = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
    neck = (np.abs(x - site.chin[0]) < 0.5 * site.d) & (y >= site.chin[1])
    oval = site.oval(mask.shape)
    core = ((agreed > 0) | ((head_column(mask.shape, site) | neck) & (mask > 0.5)) | oval) & ~theirs
    return connected_to(oval, core)


def divide_by_edges(small: Pixels, mask: Array, own: Mask, theirs: Mask, site: Site) -> Array:
    """Whose a pixel is, by watershed from what is surely the sitter's, theirs, and room: 1 where theirs."""
    room = cv2.erode((mask < 0.1).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    markers = np.zeros(mask.shape, np.int32)
    markers[room] = 3
    markers[own] = 1
    markers[theirs] = 2
    # noise and weave make edges of their own
    cv2.watershed(cv2.medianBlur(np.ascontiguousarray(small[:, :, ::-1]), 5), markers)
    reach = 2 * max(1, round(RIM * site.d)) + 1
    wide = cv2.dilate((markers == 2).astype(np.uint8), np.ones((reach, reach), np.uint8))
    wide[markers == 1] = 0
    return np.asarray(blur(wide.astype(np.float32), max(0.8, 0.015 * site.d)), np.float32)


def connected_to(oval: Mask, inside: Mask) -> Mask:
    """The connected part of `inside` that fills most of the face's oval; all of it where none lies there."""
    labels = cv2.connectedComponents(inside.astype(np.uint8))[1]
    at = labels[oval & inside]
    return np.asarray(labels == np.bincount(at).argmax(), bool) if at.size else inside


def connected_share(alpha: Array, site: Site) -> Array:
    """1 where alpha belongs to the face's own connected part, 0 where something is left over elsewhere."""
    small = shrink_to(alpha, WATERSHED_PX)
    there = site.at(small.shape[1] / alpha.shape[1])
    inside = small > 0.25
    own = connected_to(there.oval(small.shape), inside)
    # faint hair lies about the part that it belongs to; what is nearer to a left-over part goes with that
    apart, other = (
        cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, 5) for part in (own, inside & ~own)
    )
    share = blur((apart <= other).astype(np.float32), 0.8)
    return np.asarray(linear_step(resize(share, alpha.shape), 0.05, 0.95), np.float32)


def _others_in(
    windows: Iterable[Window], detector: Any, shape: tuple[int, ...], site: Site, sure: float, smallest: float
) -> Iterator[Floats]:
    """Boxes of faces that are seen in a picture's windows and are not the sitter's, some more than once."""
    for seen in windows:
        for *edges, score in detected_boxes(seen, detector.process(seen.pixels)):
            box = _folded(np.array(edges), shape)
            least = SURE_ON_CHEST if on_chest(box, site) else sure
            if score >= least and _is_another(box, site) and box[2] > smallest * site.d:
                yield box


def _without_face(pixels: Pixels, site: Site) -> Pixels:
    """The sitter's face painted over: the detector takes one close beside it for a part of it."""
    rim = site.points[list(OVAL)]
    middle = rim.mean(axis=0)
    painted = pixels.copy()
    cv2.fillPoly(painted, [np.round(middle + FACE_RIM * (rim - middle)).astype(np.int32)], (128, 128, 128))
    return painted


def _folded(box: Floats, shape: tuple[int, ...]) -> Floats:
    """The box, or where it is when it lies in the mirror beyond the picture's edge."""
    size = np.array(shape[1::-1], np.float64)
    middle = box[:2] + box[2:] / 2
    middle = np.where(middle < 0, -middle, np.where(middle > size, 2 * size - middle, middle))
    return np.concatenate([middle - box[2:] / 2, box[2:]])


def _tiles(pixels: Pixels, border: int = cv2.BORDER_REPLICATE) -> Iterator[Window]:
    """The whole picture with room about it, then nine overlapping parts of that.

    A face that the picture's edge cuts is found only when it seems to go on: in a mirror at best, where half
    a face is a whole one.
    """
    edge = round(EDGE * max(pixels.shape))
    wider = cv2.copyMakeBorder(pixels, edge, edge, edge, edge, border)
    height, width = wider.shape[:2]
    yield Window(-edge, -edge, width, height, wider)
    high, wide = round(TILE * height), round(TILE * width)
    for top in (0, (height - high) // 2, height - high):
        for left in (0, (width - wide) // 2, width - wide):
            part = wider[top : top + high, left : left + wide]
            yield Window(left - edge, top - edge, wide, high, np.ascontiguousarray(part))


def _beside(pixels: Pixels, site: Site) -> Iterator[Window]:
    """Eight squares left and right of the sitter's face, mirrored where they leave the picture."""
    size = round(CLOSE_SQUARE * site.d)
    wider = cv2.copyMakeBorder(pixels, size, size, size, size, cv2.BORDER_REFLECT)
    for aside in (-3.0, -2.0, 2.0, 3.0):
        for down in (-0.5, 0.8):
            left, top = (site.eyes + site.d * np.array([aside, down]) - size / 2).round().astype(int)
            part = wider[max(0, top + size) :, max(0, left + size) :][:size, :size]
            if part.shape[:2] == (size, size):
                yield Window(left, top, size, size, np.ascontiguousarray(part))


def on_chest(box: Floats, site: Site) -> bool:
    """Whether a face would be on the sitter's own clothes: a print, a pin, or a child held up."""
    x, y = (box[:2] + box[2:] / 2 - site.chin) / site.d
    return bool(y > 0.3 and abs(x) < 0.6 + y)


def _is_another(box: Floats, site: Site) -> bool:
    away = box[:2] + box[2:] / 2 - site.points[NOSE_TIP]
    return bool(np.hypot(*away) > OWN * site.d)


def _same(box: Floats, known: Floats) -> bool:
    apart = np.abs(box[:2] + box[2:] / 2 - known[:2] - known[2:] / 2)
    return bool((apart < 0.5 * np.maximum(box[2:], known[2:])).all())
