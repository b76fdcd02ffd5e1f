"""Download what a model set needs and nothing else. The only module of the chain that goes online.

Broken off, it goes on where it stopped: finished files stay, an unfinished one is resumed. Sizes are
gigabytes of 10^9 bytes.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import ChoiceError, OperatorError
from pipelines.draw.machine import is_here, is_whole
from pipelines.draw.model_set import ModelSet

SPARE = 0.5  # GB that must stay free on the disk: a full one stops the whole machine

Say = Callable[[str], None]


@dataclass(frozen=True)
class Download:
    """Files of one repository at one revision."""

    repo: str
    revision: str
    files: tuple[str, ...]
    gigabytes: float  # by the preset; the Hub is asked before anything is written


@dataclass(frozen=True)
class _File:
    repo: str
    revision: str
    name: str
    size: int  # bytes


def downloads(model_set: ModelSet) -> tuple[Download, ...]:
    """What a set needs from the Hub, one entry a repository; empty for a set that comes with the project."""
    parts = [part for part in model_set.parts.by_role().values() if part.repo]
    places = dict.fromkeys((part.repo, part.revision) for part in parts)
    return tuple(
        Download(
            repo,
            revision,
            tuple(
                name
                for part in parts
                if (part.repo, part.revision) == (repo, revision)
                for name in part.files
            ),
            round(sum(p.gigabytes for p in parts if (p.repo, p.revision) == (repo, revision)), 2),
        )
        for repo, revision in places
    )


def fetch(model_set: ModelSet, say: Say, cache: Path | None = None, endpoint: str | None = None) -> None:
    """Bring a set's missing files to this machine; `say` hears one line at each percent.

    `cache` is the Hub's cache folder (None: where huggingface_hub keeps it). Raises `ChoiceError` for a set
    that cannot be fetched, `OperatorError` when the disk is too small, the network fails or a file is gone.
    """
    if is_here(model_set, cache):
        say(f"All files of {model_set.name} are on this machine.")
        return
    wanted = downloads(model_set)
    if not wanted:
        raise ChoiceError(f"{model_set.name} comes with the project, in weights/. Check that copy of it.")
    missing = [file for download in wanted for file in _missing(download, cache, endpoint)]
    _check_disk(model_set.name, sum(file.size for file in missing) / 1e9, cache)
    progress = _Progress(say, sum(file.size for file in missing))
    for file in missing:
        _bring(file, cache, endpoint, progress)
    say(f"All files of {model_set.name} are on this machine.")


def _missing(download: Download, cache: Path | None, endpoint: str | None) -> list[_File]:
    """Files that are not in the cache, with the sizes that the Hub gives; a damaged one is deleted first."""
    from huggingface_hub import HfApi, try_to_load_from_cache

    absent = []
    for name in download.files:
        found = try_to_load_from_cache(download.repo, name, cache_dir=cache, revision=download.revision)
        if isinstance(found, str) and is_whole(Path(found)):
            continue
        if isinstance(found, str):  # the Hub's library believes that a file of that name is the file
            Path(found).resolve().unlink()
            Path(found).unlink(missing_ok=True)
        absent.append(name)
    if not absent:
        return []
    with _network(download.repo):
        found = HfApi(endpoint=endpoint).get_paths_info(download.repo, absent, revision=download.revision)
    sizes = {file.path: int(file.size) for file in found if hasattr(file, "size")}
    gone = [name for name in absent if name not in sizes]
    if gone:
        raise OperatorError(f"{download.repo} has no file {gone[0]} at revision {download.revision}.")
    return [_File(download.repo, download.revision, name, sizes[name]) for name in absent]


def _check_disk(name: str, needed: float, cache: Path | None) -> None:
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = (cache or Path(HF_HUB_CACHE)).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    if free < needed + SPARE:
        raise OperatorError(
            f"{name} needs {needed:.1f} GB more, and {free:.1f} GB are free where the files would go. "
            "Make room, or name another disk with HF_HOME."
        )


def _bring(file: _File, cache: Path | None, endpoint: str | None, progress: "_Progress") -> None:
    from huggingface_hub import hf_hub_download

    progress.begin(file)
    with _network(file.repo):
        hf_hub_download(
            file.repo,
            file.name,
            revision=file.revision,
            cache_dir=cache,
            endpoint=endpoint,
            tqdm_class=progress.bar(),
        )
    progress.end(file)


class _Progress:
    """Counts bytes over all files and says a line at each whole percent."""

    def __init__(self, say: Say, total: int) -> None:
        self.say, self.total = say, max(total, 1)
        self.before, self.current, self.percent = 0, 0, -1
        self.repo = ""

    def begin(self, file: _File) -> None:
        self.repo, self.current = file.repo, 0

    def add(self, count: float) -> None:
        self.current += int(count)
        done = self.before + self.current
        if (percent := 100 * done // self.total) > self.percent:
            self.percent = percent
            self.say(f"{self.repo}: {done / 1e9:.2f} of {self.total / 1e9:.2f} GB ({percent} %)")

    def end(self, file: _File) -> None:
        self.add(file.size - self.current)  # a small file tells nobody how it is getting on
        self.before += file.size

    def bar(self) -> type:
        """What huggingface_hub takes for a progress bar."""
        progress = self

        class Bar:
            total = 0

            def __init__(self, *_: Any, initial: float = 0, **__: Any) -> None:
                progress.add(initial)

            def __enter__(self) -> "Bar":
                return self

            def __exit__(self, *_: object) -> None:
                pass

            def update(self, count: float | None = 1) -> None:
                progress.add(count or 0)

            def __getattr__(self, name: str) -> Callable[..., None]:
                return lambda *_, **__: None  # whatever else a bar may be told: colours, rates, an end

            def update_transfer(self, count: float | None = 1) -> None:
                """Bytes on the wire; we count those on the disk."""

        return Bar


@contextlib.contextmanager
def _network(repo: str) -> Iterator[None]:
    """Say in a sentence that the network failed, whoever noticed it."""
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled as error:
        raise OperatorError("HF_HUB_OFFLINE forbids to go online. Unset it to fetch.") from error
    except (OSError, RuntimeError, httpx2.HTTPError) as error:  # hf_xet raises RuntimeError
        raise OperatorError(
            f"{repo} could not be fetched ({type(error).__name__}). What has come so far is kept: "
            "see that the Hub can be reached, and run the same command again."
        ) from error
