"""Real people to test on: two public-domain portraits that our dependencies carry, and a folder of more."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo


def pytest_configure() -> None:
    """One thread for toy networks: two wait for each other longer than they work. Read at torch's import."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    settings.register_profile("without a clock", deadline=None)  # a busy machine is no failure
    settings.load_profile("without a clock")


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


@pytest.fixture(scope="session")
def finder() -> Iterator[FaceFinder]:
    """One for all tests: its graphs take seconds to build."""
    with FaceFinder() as finder:
        yield finder


@pytest.fixture(scope="session")
def studio() -> Iterator[Studio]:
    """One for all tests, likewise."""
    with Studio() as studio:
        yield studio
