"""The arrays that travel: what a name says of dtype, shape and meaning, once for the whole program.

Positions are (x, y) px with the origin top left, rows of arrays run down. A function documents what is
narrower than this: which canvas, which unit. No picture that people see is mirrored.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # a picture (H, W, 3) in sRGB's encoding (IEC 61966-2-1)
Array = NDArray[np.float32]  # worked with: a picture (H, W, 3) sRGB 0..1, a mask or alpha (H, W) 0..1, a flow
# (n, 2) x, y px; landmarks (478, 3) with MediaPipe's depth, in x's scale. float32, as they are found; float64
# where they are computed with.
Points = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]  # measured with: Lab, linear light, matrices (2, 3), ratios, statistics
Mask = NDArray[np.bool_]  # which pixels (H, W), or which entries
Indices = NDArray[np.int_]  # places in another array, or counts
