"""Sample faces, for whoever would rather not show their own. Both pictures are in the public domain."""

from importlib.util import find_spec
from pathlib import Path

from pipelines.selfie.photo import Photo, open_photo

# Name to package and file: Eileen Collins (NASA) and Grace Hopper (US Navy), as the packages carry them.
SAMPLES = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}


def sample(name: str) -> Photo:
    """A sample face. The package is looked up, not imported: that would take a second."""
    package, file = SAMPLES[name]
    found = find_spec(package)
    folders = found.submodule_search_locations if found else None
    return open_photo(Path((folders or ["."])[0]) / file)
