"""What is on this machine: the files of model sets, the device they run on, and so which set to take.

Memory is in gigabytes of 10^9 bytes. Nothing here goes online; torch is only asked where it must be.
"""

import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from errors import ChoiceError, Damaged, NotDownloaded
from pipelines.draw.model_set import ModelSet, Part
from pipelines.draw.plan import DeviceKind
from words import Say, read_words

LFS_POINTER = b"version https://git-lfs.github.com"  # how one begins: git-lfs' own specification
WEIGHTS = Path(__file__).parents[2] / "weights"


def locate(model_set: ModelSet, cache: Path | None = None, weights: Path = WEIGHTS) -> dict[str, Path]:
    """The folder of every network by role, once all files are seen to be there. Asks nobody.

    `cache` is the Hub's cache folder (None: where huggingface_hub keeps it), `weights` holds local sets.
    Raises `NotDownloaded` naming the first repository that lacks a file, `Damaged` for a file that is there
    in part.
    """
    found: dict[str, Path] = {}
    for role, part in model_set.parts.by_role().items():
        files = [find_file(part, name, cache, weights) for name in part.files]
        for name, file in zip(part.files, files, strict=True):
            if file is None:
                raise NotDownloaded(part.place, model_set.name)
            if not is_whole(file):
                raise Damaged(part.place, name, model_set.name, is_local=bool(part.local))
        first = files[0]
        if first is not None:
            found[role] = first.parents[part.files[0].count("/")] / part.folder
    return found


def find_file(part: Part, name: str, cache: Path | None = None, weights: Path = WEIGHTS) -> Path | None:
    """One file of a part; None where it is not on this machine."""
    if part.local:
        file = weights / part.local / name
        return file if file.is_file() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(part.repo, name, cache_dir=cache, revision=part.revision)
    return Path(found) if isinstance(found, str) else None


def is_whole(file: Path) -> bool:
    """Whether a file is neither a pointer of Git LFS nor cut off, as far as its beginning and length say.

    Of safetensors: 8 bytes, the length of a JSON header in which `data_offsets` say where the last tensor
    ends (huggingface.co/docs/safetensors). Other kinds only must not be empty.
    """
    with file.open("rb") as start:
        first = start.read(8)
        if LFS_POINTER.startswith(first):
            return False
        if file.suffix != ".safetensors":
            return True
        size, length = file.stat().st_size, int.from_bytes(first, "little")
        if len(first) < 8 or length > size - 8:
            return False
        try:
            header = json.loads(start.read(length))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
            return False
        return size == 8 + length + max(ends, default=0)


def is_here(model_set: ModelSet, cache: Path | None = None, weights: Path = WEIGHTS) -> bool:
    """Whether every file of the set is on this machine."""
    try:
        locate(model_set, cache, weights)
    except NotDownloaded:
        return False
    return True


def revisions(model_set: ModelSet, cache: Path | None = None, weights: Path = WEIGHTS) -> dict[str, str]:
    """The commit of each repository; for a local folder a digest of its weights. Raises `NotDownloaded`."""
    parts = model_set.parts.by_role()
    roots = {
        parts[role].place: folder.parents[parts[role].depth - 1] if parts[role].depth else folder
        for role, folder in locate(model_set, cache, weights).items()
    }
    return {place: _revision(root) for place, root in roots.items()}


def _revision(root: Path) -> str:
    """A snapshot is named after its commit; a local folder is known by its weights."""
    if root.parent.name == "snapshots":
        return root.name
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.safetensors")):
        digest.update(file.read_bytes())
    return f"sha256:{digest.hexdigest()}"


@dataclass(frozen=True)
class Device:
    """Where networks can run on this machine."""

    kind: DeviceKind
    gigabytes: float  # 10^9 bytes: of the card, or of the whole machine for cpu and mps
    name: str  # for a sentence


def find_device(wanted: str = "auto") -> Device:
    """The GPU if there is one, else the processor. Raises `ChoiceError` for a device that is not here."""
    import psutil
    import torch

    main = psutil.virtual_memory().total / 1e9
    if wanted in ("auto", "cuda") and torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        return Device("cuda", card.total_memory / 1e9, card.name)
    if wanted in ("auto", "mps") and torch.backends.mps.is_available():
        return Device("mps", main, "the Apple GPU")
    if wanted in ("auto", "cpu"):
        return Device("cpu", main, "the processor")
    raise ChoiceError(
        f"FACE_VALUE_DEVICE = {wanted!r}: there is no such device here. auto takes what there is."
    )


def choose(
    sets: Mapping[str, ModelSet],
    wanted: str = "auto",
    device: Device | str = "auto",
    cache: Path | None = None,
    weights: Path = WEIGHTS,
    commissioned: Container[str] = (),
    say: Say | None = None,
) -> tuple[ModelSet, str]:
    """The set to use, and why, in a sentence for the operator that `say` makes; in English without one.

    `auto` takes the highest rank among those that are on this machine and fit it, of those that wait for
    being commissioned only what is in `commissioned`; a name is taken at its word. A device's name asks
    torch, but only if a set that is here has needs: that import takes seconds.
    Raises `ChoiceError` for an unknown name or when nothing fits, `NotDownloaded` when nothing is here.
    """
    say = say or read_words().say
    if wanted != "auto":
        if wanted not in sets:
            raise ChoiceError(
                f"There is no model set {wanted!r}. There are: {', '.join(sorted(sets))}, auto."
            )
        return sets[wanted], say("choice.named", model=_title(sets[wanted], say))
    ranked = sorted(sets.values(), key=lambda model_set: model_set.rank, reverse=True)
    here, passed = _sort_out(ranked, cache, weights, say)
    if not here:
        locate(ranked[-1], cache, weights)  # says what is missing of the smallest
    for model_set in here:
        if model_set.commission_first and model_set.name not in commissioned:
            passed.append(say("choice.waits", model=_title(model_set, say)))
            continue
        if model_set.runs_anywhere:
            return model_set, _why(say, model_set, passed, say("choice.anywhere"))  # without asking torch
        device = find_device(device) if isinstance(device, str) else device
        if model_set.plan(device.kind, device.gigabytes):
            fits = say("choice.fits", device=device.name, gb=f"{device.gigabytes:.0f}")
            return model_set, _why(say, model_set, passed, fits)
        passed.append(say("choice.needs", model=_title(model_set, say), least=model_set.least))
    raise ChoiceError(f"No model set fits this machine: {'; '.join(passed)}.")


def _sort_out(
    ranked: Sequence[ModelSet], cache: Path | None, weights: Path, say: Say
) -> tuple[list[ModelSet], list[str]]:
    """The sets whose files are here, and of those that are damaged what is."""
    here, damaged = [], []
    for model_set in ranked:
        try:
            locate(model_set, cache, weights)
            here.append(model_set)
        except Damaged as error:
            damaged.append(say("choice.damaged", model=_title(model_set, say), how=error))
        except NotDownloaded:
            continue
    return here, damaged


def _why(say: Say, chosen: ModelSet, passed: list[str], fits: str) -> str:
    key = "choice.passed" if passed else "choice.best"
    return say(key, model=_title(chosen, say), fits=fits, passed="; ".join(passed))


def _title(model_set: ModelSet, say: Say) -> str:
    """What people call it; a set that is no preset has its own title only."""
    try:
        return say(f"model_sets.{model_set.name}")
    except KeyError:
        return model_set.title
