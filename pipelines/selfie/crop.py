"""Whether all of a head is in the picture: crown to chin, cheek to cheek, with a margin.

Pure. Points are px of the photo; the mesh goes on beyond its borders. Shares are of the face's height, from
hairline to chin.
"""

import numpy as np

from pipelines.arrays import Array, Floats, Points
from pipelines.mesh import CHEEKBONES, CHIN, HAIRLINE, OVAL

# From the mesh's upper end to the crown. Of 48 portraits, none of them cut, that point lies 0.14 and more
# inside the picture; with the picture cut at the hairline it lies 0.23 and more outside.
CROWN = 0.25
MARGIN = 0.03  # portraits have 0.39 beside the cheeks and 0.57 below the chin, at least
HAIR = 0.12  # room above the crown that hair may need
TOUCHES = 0.5  # share of the head's width where the person reaches the upper border
TOO_CLOSE = 0.8  # share of the picture's width or height that a face fills; portraits at most 0.5


def crown(landmarks: Points) -> Floats:
    """Where the skull ends, (2,) px."""
    top, chin = landmarks[HAIRLINE, :2], landmarks[CHIN, :2]
    return np.asarray(top + CROWN * (top - chin), np.float64)


def crop_fault(landmarks: Points, mask: Array) -> str | None:
    """`face.close`, `face.cut`, or None for a head that is in the picture.

    `landmarks`: (478, 2 or more). `mask`: (H, W) 0..1, share of person, of the photo's size.
    """
    height, width = mask.shape
    size = np.array([width, height])
    tall = float(np.hypot(*(landmarks[HAIRLINE, :2] - landmarks[CHIN, :2])))
    ends = np.vstack([crown(landmarks), landmarks[[CHIN, *CHEEKBONES], :2]])
    room = np.minimum(ends, size - ends).min(axis=1) / tall
    if room.min() >= MARGIN and not (room[0] < HAIR and _touches_the_top(landmarks, mask)):
        return None
    filled = (np.ptp(landmarks[list(OVAL), :2], axis=0) / size).max()
    return "face.close" if filled > TOO_CLOSE else "face.cut"


def _touches_the_top(landmarks: Points, mask: Array) -> bool:
    """Whether the person reaches the upper border over the face."""
    left, right = np.clip(np.sort(landmarks[list(CHEEKBONES), 0]), 0, mask.shape[1] - 1).astype(int)
    above = mask[: max(1, len(mask) // 60), left : right + 1]
    return bool((above > 0.5).mean() > TOUCHES)
