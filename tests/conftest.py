"""Real people to test on: two public-domain portraits that our dependencies carry, and a folder of more."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.photo import Photo


@pytest.fixture(scope="session")
def astronaut() -> Photo:
    """Eileen Collins, NASA, 512 x 512 (public domain)."""
    from skimage.data import astronaut

    return Photo(np.ascontiguousarray(astronaut()))


@pytest.fixture(scope="session")
def hopper() -> Photo:
    """Grace Hopper, US Navy, 512 x 600 (public domain)."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return Photo(np.asarray(Image.open(path).convert("RGB")))


@pytest.fixture(scope="session")
def portraits() -> Path:
    """The folder of test and training portraits, or a skip."""
    folder = os.environ.get("FACE_VALUE_PORTRAITS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("FACE_VALUE_PORTRAITS names no folder of portraits")
    return Path(folder)
