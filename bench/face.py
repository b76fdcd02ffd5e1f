"""Finding a face against the bare MediaPipe calls that it stands on: `python -m bench.face [PHOTO]`.

Ours adds the second detector, the verdict's measures, the mask at the photo's size and the redirection of
stderr. Both see the same pixels; first it is checked that both give the same points.
"""

import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pipelines.arrays import Pixels
from pipelines.mesh import window
from pipelines.selfie.face import LONGEST, FaceFinder, silence_mediapipe
from pipelines.selfie.photo import Photo, open_photo

REPEATS = 30


def main() -> None:
    """Print the ratio, its baseline and the machine."""
    photo = open_photo(Path(sys.argv[1])) if len(sys.argv) > 1 else _example()
    height, width = photo.pixels.shape[:2]
    middle = np.array([width / 2, height / 2], np.float32)
    pixels = window(photo.pixels, middle, 2.0 * max(width, height), LONGEST).pixels
    with FaceFinder() as finder, silence_mediapipe():
        bare = _bare_calls()
        face, found = finder.find(photo), bare(pixels)["mesh"].multi_face_landmarks[0].landmark
        theirs = np.array([(point.x * width, point.y * height) for point in found])
        apart = float(np.abs(face.landmarks[:, :2] - theirs).max())
        if apart > 0.01:
            raise SystemExit(f"not the same landmarks: {apart:.2f} px apart")
        ours_ms, bare_ms = _in_turns(lambda: finder.find(photo), lambda: bare(pixels))
    where = f"{platform.machine()}, {_processor()}, {width} x {height} px, median of {REPEATS}"
    print(f"ours {ours_ms:.1f} ms, bare {bare_ms:.1f} ms ({where}): {ours_ms / bare_ms:.2f}x")


def _example() -> Photo:
    from skimage.data import astronaut
    from skimage.transform import resize

    return Photo((resize(astronaut(), (1024, 1024), order=3) * 255).astype(np.uint8))


def _bare_calls() -> Callable[[Pixels], dict[str, Any]]:
    from mediapipe import solutions as of

    graphs = {
        "faces": of.face_detection.FaceDetection(model_selection=0),
        "mesh": of.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True),
        "body": of.pose.Pose(static_image_mode=True, model_complexity=1),
        "person": of.selfie_segmentation.SelfieSegmentation(model_selection=0),
    }
    return lambda pixels: {name: graph.process(pixels) for name, graph in graphs.items()}


def _in_turns(*rivals: Callable[[], object]) -> list[float]:
    """Median milliseconds of each, in turns so that a busy machine hurts them alike."""
    times: list[list[float]] = [[] for _ in rivals]
    for _ in range(REPEATS):
        for rival, mine in zip(rivals, times, strict=True):
            start = time.perf_counter()
            rival()
            mine.append(1000 * (time.perf_counter() - start))
    return [median(mine) for mine in times]


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()


if __name__ == "__main__":
    main()
