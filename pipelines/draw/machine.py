"""What is on this machine: the files of model sets, the device they run on, and so which set to take.

Memory is in gigabytes of 10^9 bytes. Nothing here goes online; torch is only asked where it must be.
"""

import hashlib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from errors import ChoiceError, NotDownloaded
from pipelines.draw.model_set import ModelSet, Part
from pipelines.draw.plan import DeviceKind

WEIGHTS = Path(__file__).parents[2] / "weights"


def locate(model_set: ModelSet, cache: Path | None = None, weights: Path = WEIGHTS) -> dict[str, Path]:
    """The folder of every network by role, once all files are seen to be there. Asks nobody.

    `cache` is the Hub's cache folder (None: where huggingface_hub keeps it), `weights` holds local sets.
    Raises `NotDownloaded` naming the first repository that lacks a file.
    """
    found = {role: _folder_of(part, cache, weights) for role, part in model_set.parts.by_role().items()}
    for role, folder in found.items():
        if folder is None:
            raise NotDownloaded(model_set.parts.by_role()[role].place, model_set.name)
    return {role: folder for role, folder in found.items() if folder is not None}


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


def _folder_of(part: Part, cache: Path | None, weights: Path) -> Path | None:
    """Where the network of a part lies, or None when a file of it is missing."""
    if part.local:
        beside = weights / part.local
        return beside / part.folder if all((beside / name).is_file() for name in part.files) else None
    from huggingface_hub import try_to_load_from_cache

    root: Path | None = None
    for name in part.files:
        file = try_to_load_from_cache(part.repo, name, cache_dir=cache, revision=part.revision)
        if not isinstance(file, str):
            return None
        root = Path(file).parents[name.count("/")]
    return root / part.folder if root else None


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
) -> tuple[ModelSet, str]:
    """The set to use, and why, in a sentence for the operator.

    `auto` takes the highest rank among those that are on this machine and fit it, of those that wait for
    being commissioned only what is in `commissioned`; a name is taken at its word. A device's name asks
    torch, but only if a set that is here has needs: that import takes seconds.
    Raises `ChoiceError` for an unknown name or when nothing fits, `NotDownloaded` when nothing is here.
    """
    if wanted != "auto":
        if wanted not in sets:
            raise ChoiceError(
                f"There is no model set {wanted!r}. There are: {', '.join(sorted(sets))}, auto."
            )
        return sets[wanted], f"{sets[wanted].title}, because the setting names it."
    ranked = sorted(sets.values(), key=lambda model_set: model_set.rank, reverse=True)
    here = [model_set for model_set in ranked if is_here(model_set, cache, weights)]
    if not here:
        locate(ranked[-1], cache, weights)  # says what is missing of the smallest
    passed: list[str] = []
    for model_set in here:
        if model_set.commission_first and model_set.name not in commissioned:
            passed.append(f"{model_set.title} was not commissioned here")
            continue
        if model_set.runs_anywhere:
            return model_set, _why(model_set, passed, "runs on any machine")  # without asking torch
        device = find_device(device) if isinstance(device, str) else device
        if model_set.plan(device.kind, device.gigabytes):
            return model_set, _why(model_set, passed, f"fits {device.name} with {device.gigabytes:.0f} GB")
        passed.append(f"{model_set.title} needs {model_set.least}")
    raise ChoiceError(f"No model set fits this machine: {'; '.join(passed)}.")


def _why(chosen: ModelSet, passed: list[str], fits: str) -> str:
    if passed:
        return f"{chosen.title}, because it {fits}; {'; '.join(passed)}."
    return f"{chosen.title}, the best of those on this machine, because it {fits}."
