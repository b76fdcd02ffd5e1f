"""Real people to test on: two public-domain portraits that our dependencies carry, and a folder of more."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from tests.kinds import KINDS, ByApp, Guard, kinds_by, order_of, says_its_kind
from tests.remembering import RememberingFinder, RememberingLamps, RememberingStudio

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

    from tests.serving import Booth


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="leave out what " + ", ".join(KINDS.values()))


def pytest_configure(config: pytest.Config) -> None:
    """One thread for toy networks: two wait for each other longer than they work. Read at torch's import."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    settings.register_profile("without a clock", deadline=None)  # a busy machine is no failure
    settings.load_profile("without a clock")
    for kind, meaning in KINDS.items():
        config.addinivalue_line("markers", f"{kind}: {meaning}")
    if config.option.quick:
        config.option.markexpr = " and ".join(f"not {kind}" for kind in KINDS)
    config.pluginmanager.register(Guard(config.option.quick))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Whole modules of a kind are not even imported for a quick run."""
    return True if config.option.quick and says_its_kind(collection_path) else None


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """One more than cores: who drives a browser or waits for another process works half of the time.

    With two more the whole took longer (two cores, 757 s against 889).
    """
    workers = yield
    return workers if config.option.quick else workers + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByApp:
    return ByApp(config, log)


@pytest.hookimpl(tryfirst=True)  # before -m looks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for kind in kinds_by(getattr(item, "fixturenames", ())):
            item.add_marker(kind)
    items.sort(key=lambda item: order_of(item.path.name))


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


@pytest.fixture(scope="session")
def remembering(finder: FaceFinder, studio: Studio) -> tuple[RememberingFinder, RememberingStudio]:
    """The same two for pages, whose tests are not about faces."""
    return RememberingFinder(finder), RememberingStudio(studio)


@pytest.fixture(scope="session")
def lamps() -> RememberingLamps:
    """And what stands before `set_up`."""
    return RememberingLamps()


@pytest.fixture(scope="session")
def booth(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Booth]":
    """An app with models for every file that visits it (`TOGETHER`): its start costs as much as a visit."""
    from tests.serving import KEY, serving, weights

    folder = tmp_path_factory.mktemp("booth")
    settings = {"BIND": "0.0.0.0", "BOOTH": "open", "HOST_KEY": KEY}
    with serving(folder / "served", weights(folder / "weights"), **settings) as booth:
        yield booth


@pytest.fixture(scope="module")
def playwright() -> "Iterator[Playwright]":
    """What drives browsers; imported late, for a quick run drives none."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: "Playwright") -> "Iterator[Browser]":
    """Without a camera."""
    from tests import chromium

    browser = chromium.launch(playwright)
    yield browser
    browser.close()
