"""Which networks draw, from where, how, and on what machine: `presets/model_sets/*.toml`.

A model set is one file; its name is the file's name. The classes below document the keys: `canvas` is
(width, height) px, memory is in gigabytes of 10^9 bytes (a card sold as 12 GB reports 12.6 or more),
`strength` is the share of the noise schedule that an image-to-image run goes through. All differences
between sets are data; `generate` never asks for a name.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from errors import ChoiceError, NotDownloaded
from pipelines.look import PRESETS, Framing, Preset, Sentence, read_preset, read_presets

MODEL_SETS = PRESETS / "model_sets"
WEIGHTS = Path(__file__).parents[1] / "weights"

Start = Literal["noise", "plate"]
Capability = Literal["identity", "prompt", "pose"]
Kind = Literal["cpu", "cuda", "mps"]
Gigabytes = Annotated[float, Field(ge=0, le=2000)]
KIND_WORDS = {"cpu": "main memory", "cuda": "GPU memory", "mps": "memory of an Apple chip"}


def _rule(sentence: str) -> PydanticCustomError:
    """A broken rule, without pydantic's `Value error,` in front."""
    return PydanticCustomError("rule", "{sentence}", {"sentence": sentence})


class Part(Preset):
    """Files of one network: in a repository of the Hub, or in a folder beside the code."""

    repo: Annotated[str, Field(pattern=r"^([\w.-]+/[\w.-]+)?$", description="owner/name on the Hub")] = ""
    revision: Annotated[str, Field(pattern=r"^[\w.-]+$", description="Commit, so an event repeats")] = "main"
    local: Annotated[
        str, Field(pattern=r"^[\w-]*$", validate_default=True, description="Or a folder inside weights/")
    ] = ""
    folder: Annotated[str, Field(pattern=r"^[\w./-]*$", description="Where in it the network lies")] = ""
    files: Annotated[tuple[str, ...], Field(min_length=1, description="Every file needed, and no other")]
    variant: Annotated[Literal["fp16"] | None, Field(description="Infix of the weights' file names")] = None
    gigabytes: Annotated[Gigabytes, Field(description="What the files weigh together")]
    licence: Annotated[Sentence, Field(description="Licence of the weights")]

    @field_validator("local")
    @classmethod
    def _one_place(cls, local: str, info: ValidationInfo) -> str:
        if bool(local) == bool(info.data.get("repo")):
            raise _rule("A part lies in a repo or in a local folder, one of the two")
        return local

    @property
    def place(self) -> str:
        """What to call the place in a sentence and in a report."""
        return self.repo or f"weights/{self.local}"

    @property
    def depth(self) -> int:
        """How many folders deep the network lies in its place."""
        return len(Path(self.folder).parts)


class Parts(Preset):
    """The networks by what they do."""

    base: Annotated[Part, Field(description="Scheduler, tokenizers, text encoders, U-Net, autoencoder")]
    unet: Annotated[Part | None, Field(description="One file with another U-Net for the base")] = None
    lora: Annotated[Part | None, Field(description="One file with a LoRA, fused into the U-Net")] = None
    vae: Annotated[Part | None, Field(description="Another autoencoder than the base's")] = None
    controlnet: Annotated[Part, Field(description="ControlNet that reads the pose map")]
    identity: Annotated[Part | None, Field(description="One file with an IP-Adapter (plus)")] = None
    image_encoder: Annotated[Part | None, Field(description="CLIP vision model of the IP-Adapter")] = None
    preview: Annotated[Part | None, Field(description="Tiny autoencoder for pictures in the making")] = None

    def by_role(self) -> dict[str, Part]:
        """The parts that this set has."""
        return {role: part for role in type(self).model_fields if (part := getattr(self, role)) is not None}


class Plan(Preset):
    """How the networks are laid out on a machine with at least so much memory."""

    device: Kind
    gigabytes: Annotated[Gigabytes, Field(description="Memory of the card, or of the machine for cpu")]
    keep: Annotated[
        Literal["resident", "offload", "fp8"],
        Field(description="All networks on the card; only the one at work; U-Net and ControlNet in 8 bits"),
    ] = "resident"
    batch: Annotated[int, Field(ge=1, le=16, description="Portraits drawn together at most")] = 1
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16", "quick"],
        Field(description="Numbers computed with; quick: bfloat16 on a processor made for it, else float32"),
    ]


def memory_plan(plans: tuple[Plan, ...], device: Kind, gigabytes: float) -> Plan | None:
    """The plan for the largest card that this one can stand in for; None when even the smallest is larger."""
    fitting = [plan for plan in plans if plan.device == device and plan.gigabytes <= gigabytes]
    return max(fitting, key=lambda plan: plan.gigabytes, default=None)


@dataclass(frozen=True)
class Course:
    """From where to where a portrait is drawn. Image to image takes the last `strength` of the schedule."""

    start: Start
    strength: float | None  # 0..1; None from noise
    requested_steps: int
    executed_steps: int


class ModelSet(Preset):
    """Networks that draw portraits together, and how they want to be run."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", description="The file's name without .toml")]
    title: Annotated[Sentence, Field(description="What people read")]
    rank: Annotated[int, Field(description="`auto` takes the highest that is here and fits")]
    rehearsal: Annotated[bool, Field(description="Good for trying out; its rounds are marked as rehearsal")]
    canvas: Annotated[tuple[int, int], Field(description="Width and height in px, 4:5, multiples of 8")]
    framing: Annotated[Framing | None, Field(description="Instead of the look's, on a small canvas")] = None
    distilled: Annotated[
        int | None, Field(ge=1, le=16, description="Steps that the networks were distilled to; else absent")
    ] = None
    scheduler: Literal["euler-trailing", "dpm++-karras"]
    guidance: Annotated[float, Field(ge=0, le=15, description="Classifier-free guidance; off up to 1")]
    steps: Annotated[int, Field(ge=1, le=100, description="Steps from pure noise")]
    starts: Annotated[
        tuple[Start, ...], Field(min_length=1, description="What its networks were trained to start from")
    ] = ("noise", "plate")
    start: Annotated[Start, Field(description="From noise, or image to image from the plate")]
    strength: Annotated[
        float | None, Field(ge=0, le=1, validate_default=True, description="For a start from the plate")
    ] = None
    licence: Annotated[Sentence, Field(description="What an operator must know about all parts together")]
    restricted: Annotated[bool, Field(description="A part has use restrictions that bind the event too")]
    memory: Annotated[tuple[Plan, ...], Field(min_length=1, description="Machines that it fits, and how")]
    parts: Parts
    capabilities: Annotated[frozenset[Capability], Field(description="What the networks listen to")]
    expressions: Annotated[tuple[str, ...], Field(description="Files of presets/expressions it can do")] = ()
    finish: Annotated[
        Literal["detail"] | None,
        Field(description="detail: a small canvas's portrait takes its finest detail from the plate"),
    ] = None

    @field_validator("canvas")
    @classmethod
    def _four_to_five(cls, canvas: tuple[int, int]) -> tuple[int, int]:
        width, height = canvas
        if width * 5 != height * 4 or width % 8 or height % 8 or not 64 <= width <= 2048:
            raise _rule("A canvas is 4:5, in multiples of 8 px, 64 to 2048 px wide")
        return canvas

    @field_validator("scheduler", "guidance", "steps")
    @classmethod
    def _as_distilled(cls, value: object, info: ValidationInfo) -> object:
        wanted = {"scheduler": "euler-trailing", "guidance": 0.0, "steps": info.data.get("distilled")}
        if info.data.get("distilled") and value != wanted[info.field_name or ""]:
            raise _rule(
                f"A model distilled to {info.data['distilled']} steps takes {wanted[info.field_name or '']}"
            )
        return value

    @field_validator("start")
    @classmethod
    def _as_trained(cls, start: Start, info: ValidationInfo) -> Start:
        if start not in info.data.get("starts", (start,)):
            raise _rule("A start is one of starts")
        return start

    @field_validator("strength")
    @classmethod
    def _whole_steps(cls, strength: float | None, info: ValidationInfo) -> float | None:
        if info.data.get("start") == "plate" and "steps" in info.data:
            try:
                _steps_run(info.data["steps"], strength, info.data.get("distilled"))
            except ChoiceError as error:
                raise _rule(str(error).rstrip(".")) from error
        elif strength is not None:
            raise _rule("Only a start from the plate has a strength")
        return strength

    @field_validator("capabilities")
    @classmethod
    def _as_equipped(cls, capabilities: frozenset[Capability], info: ValidationInfo) -> frozenset[Capability]:
        parts = info.data.get("parts")
        if parts and any(
            ("identity" in capabilities) != bool(p) for p in (parts.identity, parts.image_encoder)
        ):
            raise _rule("The capability identity and the parts identity and image_encoder go together")
        return capabilities

    @field_validator("finish")
    @classmethod
    def _over_the_plate(cls, finish: str | None, info: ValidationInfo) -> str | None:
        if finish and info.data.get("starts") != ("plate",):
            raise _rule("A finish with the plate's detail needs starts = plate alone")
        return finish

    def course(self, start: Start | None = None, strength: float | None = None) -> "Course":
        """From where and in how many steps a portrait is drawn; None stands for the set's own choice.

        Raises `ChoiceError` when no step would be left, or when a distilled model is asked for half a step.
        """
        start = start or self.start
        if start not in self.starts:
            raise ChoiceError(f"{self.name} cannot start from {start}: it was not trained to.")
        if start == "noise":
            if strength is not None:
                raise ChoiceError("Only a start from the plate has a strength.")
            return Course("noise", None, self.steps, self.steps)
        strength = self.strength if strength is None else strength
        return Course("plate", strength, self.steps, _steps_run(self.steps, strength, self.distilled))

    def plan(self, kind: Kind, gigabytes: float) -> Plan | None:
        """How to lay the networks out on such a machine; None when they do not fit."""
        return memory_plan(self.memory, kind, gigabytes)

    @property
    def least(self) -> str:
        """The smallest machines that it fits, for a sentence: `7.5 GB of GPU memory`."""
        least: dict[Kind, float] = {}
        for plan in self.memory:
            least[plan.device] = min(plan.gigabytes, least.get(plan.device, plan.gigabytes))
        return " or ".join(f"{size:g} GB of {KIND_WORDS[kind]}" for kind, size in sorted(least.items()))

    @property
    def licence_line(self) -> str:
        """Licences and what is under each: `MIT: a/b, c/d; Apache-2.0: e/f. ...`."""
        under: dict[str, list[str]] = {}
        for part in self.parts.by_role().values():
            if part.place not in under.setdefault(part.licence, []):
                under[part.licence].append(part.place)
        lists = "; ".join(f"{licence}: {', '.join(places)}" for licence, places in under.items())
        return f"{lists}. {self.licence}"


def _steps_run(steps: int, strength: float | None, distilled: int | None) -> int:
    """`int(steps * strength)`, as diffusers counts, or a `ChoiceError` that says why not."""
    if strength is None or not 0 < strength <= 1:
        raise ChoiceError(f"A start from the plate needs a strength above 0 and up to 1, not {strength}.")
    exact = steps * strength
    if distilled and exact != int(exact):
        shares = ", ".join(f"{step / steps:g}" for step in range(1, steps + 1))
        raise ChoiceError(f"Strength {strength:g} cuts a schedule of {steps} steps. It can be {shares}.")
    if int(exact) == 0:
        raise ChoiceError(f"Strength {strength:g} leaves none of {steps} steps: at least {1 / steps:.3g}.")
    return int(exact)


def read_model_set(path: Path) -> ModelSet:
    """One model set. Raises `PresetError` naming file, key, value and rule."""
    return read_preset(path, ModelSet)


def read_model_sets(folder: Path = MODEL_SETS) -> dict[str, ModelSet]:
    """All model sets of a folder by name, sorted. Raises `PresetError`."""
    return read_presets(folder, ModelSet)


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

    kind: Kind
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
) -> tuple[ModelSet, str]:
    """The set to use, and why, in a sentence for the operator.

    `auto` takes the highest rank among those that are on this machine and fit it; a name is taken at its
    word. A device's name asks torch, but only if a set that is here has needs: that import takes seconds.
    Raises `ChoiceError` for an unknown name or when nothing fits, `NotDownloaded` when nothing is here.
    """
    if wanted != "auto":
        if wanted not in sets:
            raise ChoiceError(
                f"There is no model set {wanted!r}. There are: {', '.join(sorted(sets))}, auto."
            )
        return sets[wanted], f"{sets[wanted].title}, because the setting names it."
    ranked = sorted(sets.values(), key=lambda one: one.rank, reverse=True)
    here = [one for one in ranked if is_here(one, cache, weights)]
    if not here:
        locate(ranked[-1], cache, weights)  # says what is missing of the smallest
    passed: list[str] = []
    for one in here:
        if any(plan.gigabytes == 0 for plan in one.memory if plan.device == "cpu"):
            return one, _why(one, passed, "runs on any machine")  # without asking torch
        device = find_device(device) if isinstance(device, str) else device
        if one.plan(device.kind, device.gigabytes):
            return one, _why(one, passed, f"fits {device.name} with {device.gigabytes:.0f} GB")
        passed.append(f"{one.title} needs {one.least}")
    raise ChoiceError(f"No model set fits this machine: {'; '.join(passed)}.")


def _why(chosen: ModelSet, passed: list[str], fits: str) -> str:
    if passed:
        return f"{chosen.title}, because it {fits}; {'; '.join(passed)}."
    return f"{chosen.title}, the best of those on this machine, because it {fits}."
