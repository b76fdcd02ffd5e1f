"""Which way up a photo is: the face's roll believed only where the body, or a sure detector, agrees.

The mesh alone is no witness: of 48 portraits turned by 180 degrees it laid an upright face over 46. The body
leans the right way in all of them. Pure; points are px of the photo.
"""

import numpy as np

from pipelines.arrays import Points

NOSE, LEFT_SHOULDER, RIGHT_SHOULDER = 0, 11, 12  # of BlazePose's 33 points
# Degrees. Heads tilted by 60 read 57 to 63; portraits turned by 90 read 69 and more, or the body disagrees.
MOST_TILT = 66.0
# Upright portraits, cut or filling the picture too, lean up to 26; turned by 90 the body leans 58 and more.
UPRIGHT_BODY = 50.0
# Face against body: tilted together by 60 they differ by up to 25, turned by 180 by 130 and more.
AGREE = 35.0
DISAGREE = 60.0
# Both detectors' scores together, where there is no body: upright 1.7 and more, turned by 180 at most 1.54.
SURE = 1.6


def body_roll(body: Points) -> float:
    """From shoulders to nose against straight up, degrees, clockwise positive; NaN without a body.

    `body`: (33, 2 or more) x, y px.
    """
    down = body[[LEFT_SHOULDER, RIGHT_SHOULDER], :2].mean(axis=0) - body[NOSE, :2]
    return float(np.degrees(np.arctan2(-down[0], down[1])))


def is_upright(face_roll: float, body_roll: float, score: float) -> bool:
    """Whether a reading can be believed as it stands; rolls in degrees, NaN where nothing was found."""
    if abs(face_roll) > MOST_TILT:
        return False
    if np.isnan(body_roll):
        return score >= SURE and not np.isnan(face_roll)
    return abs(body_roll) <= UPRIGHT_BODY or apart(face_roll, body_roll) <= AGREE


def is_wrong_way_up(face_roll: float, body_roll: float) -> bool:
    """Whether face and body say so together, or contradict each other."""
    return abs(face_roll) > MOST_TILT or apart(face_roll, body_roll) > DISAGREE


def quarters(roll: float) -> int:
    """How many right angles anticlockwise bring something that leans so to upright, 0 to 3; 0 for NaN."""
    return 0 if np.isnan(roll) else round(roll / 90) % 4


def apart(first: float, second: float) -> float:
    """Between two directions, 0 to 180 degrees; NaN if one is."""
    return abs((first - second + 180) % 360 - 180)
