"""A folder that is ready to push to a Hugging Face Space: `python -m bin.space [FOLDER]`, or `make space`.

Only what the Space needs, and a requirements.txt of its own: a Space reads that one file and no constraints,
and its builder and ZeroGPU take a few versions only.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipelines.draw.fetch import downloads
from pipelines.draw.model_set import read_model_sets

ROOT = Path(__file__).parents[1]
CARRIED = (
    *sorted(path.name for path in ROOT.glob("*.py")),
    "pyproject.toml",
    *("pipelines", "commission", "presets", "votes", "booth", "pages", "weights", "examples", "docs"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "NOTICE.md", "LICENSE", "packages.txt"),
)
DRAWN_WITH = "realvis-lightning"  # what the README's head has a Space download while it is built
# Where a Space needs another version than the one that our tests run on.
# torch: ZeroGPU knows 2.8.0, 2.9.1, 2.10.0 and 2.11.0 (huggingface.co/docs/hub/spaces-zerogpu, 2026-11);
# torchvision is its pair, and what torch brings of CUDA is its own to pin. pydantic: the builder installs
# our file together with `gradio[oauth,mcp]`, and the second extra of Gradio 6.31 takes at most 2.12.5.
OTHERS = {"torch": "2.11.0", "torchvision": "0.26.0", "pydantic": "2.12.5", "pydantic-core": "2.41.5"}
BESIDES = ("spaces", "authlib")  # of a Space: who lends it a card, and how visitors sign in
PLACE = {  # of the Space, whatever makes the folder
    "python_version": "3.12",
    "python_full_version": "3.12.12",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}
HEAD = "# Written by `make space`: what was tried together, and what a Space takes instead.\n"


def preloaded() -> list[str]:
    """The lines of `preload_from_hub`: repository, files, commit."""
    wanted = downloads(read_model_sets()[DRAWN_WITH])
    return [f"{download.repo} {','.join(download.files)} {download.revision}" for download in wanted]


def requirements() -> list[str]:
    """Every package that the product needs, at the version that was tried; what torch brings apart."""
    pinned = dict(_pins()) | OTHERS
    wanted = [Requirement(line) for line in _lines("requirements.txt")]
    wanted += [Requirement(name) for name in BESIDES]
    found: dict[str, None] = {}
    while wanted:
        one = wanted.pop()
        name = canonicalize_name(one.name)
        if name not in pinned or not _applies(one, ""):
            continue
        known = name in found
        found[name] = None
        if not known or one.extras:
            wanted += _brought_by(one)
    return [f"{name}=={pinned[name]}" for name in sorted(found)]


def write(folder: Path) -> None:
    """The folder, anew; whatever it held is gone."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name in CARRIED:
        given, copy = ROOT / name, folder / name
        if given.is_dir():
            shutil.copytree(given, copy, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copyfile(given, copy)
    text = HEAD + "\n".join(requirements()) + "\n"
    (folder / "requirements.txt").write_text(text, encoding="utf-8")


def _brought_by(one: Requirement) -> Iterator[Requirement]:
    """What an installed package asks for, with the extras that are wanted of it."""
    for line in requires(one.name) or ():
        brought = Requirement(line)
        if any(_applies(brought, extra) for extra in ("", *one.extras)):
            brought.marker = None  # it holds, whatever is asked next
            yield brought


def _applies(one: Requirement, extra: str) -> bool:
    return one.marker is None or one.marker.evaluate({**PLACE, "extra": extra})


def _pins() -> Iterator[tuple[str, str]]:
    for line in _lines("constraints.txt"):
        name, version = line.split("==")
        yield canonicalize_name(name), version


def _lines(name: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = [re.sub(r"\s*#.*", "", line) for line in text.splitlines()]
    return [line for line in lines if line]


if __name__ == "__main__":
    to = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "space")
    write(to)
    sys.stdout.write(f"{to.name}/ is ready: hf upload OWNER/NAME {to.name} . --repo-type space\n")
