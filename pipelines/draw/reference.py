"""Face to the crop that the identity adapter's encoder sees: upright, the features where it learned them.

IP-Adapter's plus-face was trained on InsightFace's `norm_crop` (tencent-ailab/IP-Adapter, questions 54 and
180): the least-squares similarity of five points onto a template. Turned or wider crops show it a face at a
place where it never saw one. Its numbers are used here, none of its weights.
"""

import cv2
import numpy as np

from pipelines.arrays import Floats, Pixels
from pipelines.mesh import MOUTH_CORNERS, NOSE_TIP, PUPILS
from pipelines.selfie.face import Face

REFERENCE_PX = 448  # side; twice what the encoder reads, so that it halves the picture evenly
# Pupils, tip of the nose, corners of the mouth: in the mesh, and (x, y) on the 112 px of
# deepinsight/insightface's `face_align.arcface_dst`. "Right" is the sitter's, on the picture's left.
POINTS = (*PUPILS, NOSE_TIP, *MOUTH_CORNERS)
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
TEMPLATE_PX = 112


def reference_crop(face: Face) -> Pixels:
    """Aligned square crop of the face: uint8 (448, 448, 3) sRGB. Outside the photo its rim goes on."""
    matrix, pixels = alignment(face), face.photo.pixels
    scale = float(np.hypot(*matrix[:, 0]))
    if scale < 1:  # a warp alone would skip pixels of a large photo
        share = 1 / np.ceil(1 / scale)
        pixels = cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA).astype(np.uint8)
        share = np.array(pixels.shape[1::-1]) / face.photo.pixels.shape[1::-1]
        # centre of a pixel p of the photo: q = (p + .5) share - .5
        matrix[:, 2] += matrix[:, :2] @ (0.5 / share - 0.5)
        matrix[:, :2] /= share
    crop = cv2.warpAffine(
        pixels, matrix, (REFERENCE_PX,) * 2, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(crop, np.uint8)


def alignment(face: Face) -> Floats:
    """Photo px to px of the reference, float64 (2, 3): the similarity nearest to the template's points."""
    here = face.landmarks[list(POINTS), :2].astype(np.float64) @ (1, 1j)  # points of the plane as numbers
    there = TEMPLATE @ (1, 1j) * (REFERENCE_PX / TEMPLATE_PX)
    away, aim = here - here.mean(), there - there.mean()
    turn = np.vdot(away, aim) / np.vdot(away, away).real  # least squares: scale and angle in one number
    shift = there.mean() - turn * here.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
