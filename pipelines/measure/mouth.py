"""Face to how much of its mouth is teeth."""

import numpy as np

from pipelines.arrays import Mask, Points
from pipelines.measure.tone import lab_of
from pipelines.mesh import INNER_LIPS_RING, LIPS_RING, align_face, ring_mask
from pipelines.selfie.face import Face

# The mouth and what is around it: pupils 96 px apart, and above the frame.
FRAME, PUPILS, EYE_LINE = (160, 160), 96.0, -0.25
# Against the lips, in Lab: teeth are much less red and hardly darker. Looked at on the grey plates of 24
# portraits and what the small set made of them: all teeth were taken, yellow and shaded ones too, and no gum.
LESS_RED, DARKER = 0.6, 5.0  # share of the lips' a*; L*


def teeth_share(face: Face, landmarks: Points) -> float:
    """Bright pixels without red between the lips, as a share of lips and mouth, 0..1; 0 in a closed mouth.

    `landmarks` (478, 2 or 3) px.
    """
    return float(teeth_mask(face, landmarks).mean())


def teeth_mask(face: Face, landmarks: Points) -> Mask:
    """Which of the mouth's pixels are teeth, (n,): those within the lips' outer line, in a frame."""
    seen = align_face(face.photo.pixels, landmarks, FRAME, PUPILS, EYE_LINE)
    lab = lab_of(seen.pixels)
    mouth, inside = ring_mask(seen, LIPS_RING), ring_mask(seen, INNER_LIPS_RING)
    lips = lab[mouth & ~inside]
    if not len(lips):
        return np.zeros(1, bool)
    lightness, red, _ = np.median(lips, axis=0)
    teeth = inside & (lab[..., 1] < LESS_RED * red) & (lab[..., 0] > lightness - DARKER)
    return np.asarray(teeth[mouth | inside])
