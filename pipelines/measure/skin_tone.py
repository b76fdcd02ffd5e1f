"""Portrait to the same portrait with the skin tone of the photograph, undoing a network's drift.

Lab under D65 (CIE 1976). Only skin is moved: the face within its oval, and what is coloured like it on ears,
neck and a bald head, where the person is. Eyes, lips and everything else keep their very pixels. Light and
shade stay the portrait's own: a curve through seven quantiles moves shadow, middle and highlight each as far
as they are off, so that nothing turns grey or flat.
"""

from dataclasses import replace

import cv2
import numpy as np

from pipelines.arrays import Floats, Mask, Pixels
from pipelines.measure.likeness import Level, Measure, Subject
from pipelines.measure.tone import exposure, lab_of, linear, tone_change
from pipelines.mesh import (
    CHEEKBONES,
    CHIN,
    HAIRLINE,
    JAW_CORNERS,
    LEFT_EYE_RING,
    LIPS_RING,
    OVAL,
    RIGHT_EYE_RING,
    FaceFrame,
    ring_mask,
)
from pipelines.plate.masks import linear_step, smoothstep
from pipelines.plate.matte import guided_filter
from pipelines.selfie.photo import Photo

# L*: from there on another seed is the better answer (at 12 L* pale foreheads and rings on bald heads were
# seen, from clipped pixels). Below the report's own threshold there is nothing to mend.
MOST = 8.0
QUANTILES = (0.05, 0.20, 0.35, 0.50, 0.65, 0.80, 0.95)
SMOOTH = np.array([0.25, 0.5, 0.25])
ABOUT_MEDIAN = (4.0, 3.0, 3.0)  # L*, a*, b*: no quantile moves by more than that beyond the middle one
CORRECTIONS = 2  # times that the skin measure looks at the result

SOFT, LIPS_SOFT = 0.06, 0.02  # edges, in distances between the pupils
DARKER, DARKER_SOFT = 34.0, 4.0  # within the oval: brows and deep shade are no skin, L* below the median
OUTSIDE_DARKER = 24.0
ALIKE, ALIKE_ABOVE = 2.0, 2.9  # deviations of colour: beside and below the face; above the forehead
LEAST_SPREAD, MOST_SPREAD = (0.07, 0.08), (0.12, 0.15)  # of ln R/G and ln G/B
BELOW, BESIDE = 0.9, 0.35  # how far neck and ears are looked at, in distances between the pupils
PERSON = (0.05, 0.3)  # of the mask; what the guided filter carries beyond it, and into eyes, is cut off again
GUIDE_RADIUS, GUIDE_EPSILON = 0.08, 2e-3


def can_restore_tone(skin: Measure) -> bool:
    """Whether a change of the skin is large enough to be seen and small enough to be undone."""
    return skin.value is not None and skin.level != Level.UNCHANGED and abs(skin.value) <= MOST


def restore_tone(reference: Subject, portrait: Subject) -> Pixels:
    """`portrait` with the skin tone of `reference`, uint8 (H, W, 3) sRGB, other pixels untouched.

    Three kinds of lightening by 6 L* were undone to within 1 L*; docs/skin-tone.md has the figures.
    """
    gain, trust = exposure(reference.face, portrait.face, reference.landmarks, portrait.landmarks)
    wanted = lab_of(reference.face.photo.pixels, float(np.exp(trust * gain)))[face_skin(reference)]
    lab, mask = lab_of(portrait.face.photo.pixels), skin_share(portrait)
    found = lab[face_skin(portrait)]
    knots = np.quantile(found, QUANTILES, axis=0)
    shifts = _smooth(np.quantile(wanted, QUANTILES, axis=0) - knots)
    pixels = _shift_tones(portrait.face.photo.pixels, lab, mask, knots, shifts)
    for _ in range(CORRECTIONS):
        again = replace(portrait.face, photo=Photo(pixels))
        tone = tone_change(reference.face, again, reference.landmarks, portrait.landmarks)
        left = np.subtract(*tone.tones)
        if not np.isfinite(left).all():
            break
        shifts = shifts + left
        pixels = _shift_tones(portrait.face.photo.pixels, lab, mask, knots, shifts)
    return pixels


def face_skin(subject: Subject) -> Mask:
    """The face within its oval, without eyes and lips, (H, W)."""
    seen = _whole(subject)
    return ring_mask(seen, OVAL) & ~_no_skin(seen)


def skin_share(subject: Subject) -> Floats:
    """How much each pixel is skin, 0..1 (H, W)."""
    seen, pixels, d = _whole(subject), subject.face.photo.pixels, subject.pupils
    lightness = lab_of(pixels)[..., 0]
    inside = ring_mask(seen, OVAL)
    middle = float(np.median(lightness[inside & ~_no_skin(seen)]))
    within = _blur(inside, SOFT * d) / (1 + np.exp(-(lightness - middle + DARKER) / DARKER_SOFT))
    beyond = _like_face(pixels, inside & ~_no_skin(seen), seen.points[HAIRLINE, 1])
    beyond *= _reach(seen, d) * (lightness > middle - OUTSIDE_DARKER)
    rest = (1 - _blur(_no_skin(seen), LIPS_SOFT * d)) * linear_step(subject.face.mask, *PERSON)
    mask = np.maximum(within, beyond) * rest
    picture = (pixels / 255).astype(np.float32)
    lines = guided_filter(picture, mask.astype(np.float32), max(1, round(GUIDE_RADIUS * d)), GUIDE_EPSILON)
    fine = (lines[..., :3] * picture).sum(axis=2) + lines[..., 3]
    return np.asarray(fine.clip(0, 1) * rest, np.float64)


def _whole(subject: Subject) -> FaceFrame:
    """The picture itself as a frame."""
    return FaceFrame(subject.face.photo.pixels, subject.landmarks[:, :2], np.eye(2, 3))


def _no_skin(seen: FaceFrame) -> Mask:
    return ring_mask(seen, RIGHT_EYE_RING) | ring_mask(seen, LEFT_EYE_RING) | ring_mask(seen, LIPS_RING)


def _like_face(pixels: Pixels, face: Mask, hairline: float) -> Floats:
    """1 where the colour of linear light is the face's, 0 where it is another, (H, W)."""
    light = linear(pixels).clip(1e-3, None)
    colour = np.stack([np.log(light[..., 0] / light[..., 1]), np.log(light[..., 1] / light[..., 2])], axis=-1)
    middle = np.median(colour[face], axis=0)
    spread = (1.4826 * np.median(np.abs(colour[face] - middle), axis=0)).clip(LEAST_SPREAD, MOST_SPREAD)
    away = np.hypot(*np.moveaxis((colour - middle) / spread, -1, 0))
    limit = np.where(np.arange(len(pixels)) < hairline, ALIKE_ABOVE, ALIKE)[:, None]
    return np.asarray(1 - smoothstep(away / limit, 0.8, 1.1), np.float64)


def _reach(seen: FaceFrame, d: float) -> Floats:
    """Where skin beyond the face is looked for: the head with its ears, and the neck, fading, (H, W)."""
    height, width = seen.pixels.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    chin, hair = seen.points[CHIN], seen.points[HAIRLINE]
    middle = chin[0] + (y - chin[1]) * (hair[0] - chin[0]) / (hair[1] - chin[1])
    half_jaw, half_face = (
        abs(seen.points[b, 0] - seen.points[a, 0]) / 2 for a, b in (JAW_CORNERS, CHEEKBONES)
    )
    low = seen.points[list(JAW_CORNERS), 1].mean()
    head = 1 - smoothstep(np.abs(x - middle), half_face + BESIDE * d / 2, half_face + BESIDE * d)
    neck = (1 - smoothstep(np.abs(x - middle), 0.9 * half_jaw, 1.1 * half_jaw)) * (
        1 - smoothstep(y, chin[1], chin[1] + BELOW * d)
    )
    return np.asarray(np.where(y < low, head, neck), np.float64)


def _blur(mask: Mask, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma), np.float64)


def _smooth(shifts: Floats) -> Floats:
    """Shifts by quantile, (7, 3): each with its neighbours, and none far from the middle one's."""
    padded = np.pad(shifts, ((1, 1), (0, 0)), mode="edge")
    smooth = np.stack([np.convolve(channel, SMOOTH, mode="valid") for channel in padded.T], axis=1)
    middle = smooth[len(QUANTILES) // 2]
    return np.asarray(smooth.clip(middle - ABOUT_MEDIAN, middle + ABOUT_MEDIAN))


def _shift_tones(pixels: Pixels, lab: Floats, mask: Floats, knots: Floats, shifts: Floats) -> Pixels:
    """The picture with each channel moved along its curve; black and white stay black and white."""
    ends = ((0.0, 100.0), None, None)
    moved = lab.copy()
    for channel, end in enumerate(ends):
        at, by = knots[:, channel], shifts[:, channel]
        if end:
            at, by = np.concatenate([end[:1], at, end[1:]]), np.concatenate([[0], by, [0]])
        moved[..., channel] += mask * np.interp(lab[..., channel], at, by)
    encoded = cv2.cvtColor(moved.astype(np.float32), cv2.COLOR_Lab2RGB)
    changed = np.round(255 * encoded).clip(0, 255).astype(np.uint8)
    return np.where((mask > 1 / 255)[..., None], changed, pixels)
