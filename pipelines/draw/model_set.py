"""Which networks draw, from where, how, and on what machine: `presets/model_sets/*.toml`.

A model set is one file; its name is the file's name. The classes below document the keys: `canvas` is
(width, height) px, memory is in gigabytes of 10^9 bytes (a card sold as 12 GB reports 12.6 or more),
`strength` is the share of the noise schedule that an image-to-image run goes through. All differences
between sets are data; `generate` never asks for a name.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from errors import ChoiceError
from pipelines.draw.bounds import Bounds
from pipelines.draw.plan import KEEPS, KIND_WORDS, DeviceKind, Gigabytes, Plan, memory_plan
from pipelines.look import Framing
from presets import PRESETS, Preset, Sentence, read_presets, rule

MODEL_SETS = PRESETS / "model_sets"

Start = Literal["noise", "plate"]
Capability = Literal["identity", "references", "prompt", "pose"]
SCHEDULERS = {"sdxl": "euler-trailing", "flux2-klein": "flow-match-euler"}  # of each family
DIAL_TURNS = 2  # of the dial to each side of its middle


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
            raise rule("A part lies in a repo or in a local folder, one of the two")
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

    base: Annotated[Part, Field(description="Scheduler, tokenizers, text encoders, denoiser, autoencoder")]
    unet: Annotated[Part | None, Field(description="One file with another U-Net for the base")] = None
    lora: Annotated[Part | None, Field(description="One file with a LoRA, fused into the U-Net")] = None
    vae: Annotated[Part | None, Field(description="Another autoencoder than the base's")] = None
    controlnet: Annotated[Part | None, Field(description="ControlNet that reads the pose map")] = None
    identity: Annotated[Part | None, Field(description="One file with an IP-Adapter (plus)")] = None
    image_encoder: Annotated[Part | None, Field(description="CLIP vision model of the IP-Adapter")] = None
    preview: Annotated[Part | None, Field(description="Tiny autoencoder for pictures in the making")] = None

    def by_role(self) -> dict[str, Part]:
        """The parts that this set has."""
        return {role: part for role in type(self).model_fields if (part := getattr(self, role)) is not None}


class DialEnd(Preset):
    """What a place of the dial asks for; at its ends, what the file says."""

    strength: Annotated[float | None, Field(gt=0, le=1, description="Of a start from the plate")] = None
    identity: Annotated[float | None, Field(ge=0, le=1, description="Identity adapter's scale")] = None


class Dial(Preset):
    """From close to the sitter to free; in the middle are the set's own values."""

    close: Annotated[DialEnd, Field(description="Most of the sitter")]
    free: Annotated[DialEnd, Field(description="Least of the sitter")]


class Edit(Preset):
    """What a model that edits pictures is shown, and told: the plate as image 1, then the selfies."""

    plate: Annotated[float, Field(ge=0.25, le=1, description="Width of the plate it sees, of the canvas's")]
    faces: Annotated[int, Field(ge=1, le=4, description="Selfies it sees at most, the best first")]
    instruction: Annotated[Sentence, Field(description="What to do; {prompt} stands for the look's words")]
    faces_note: Annotated[Sentence, Field(description="What the selfies are for, where there are any")]

    @field_validator("instruction")
    @classmethod
    def _says_the_look(cls, instruction: str) -> str:
        if "{prompt}" not in instruction:
            raise rule("An instruction says {prompt} where the look's words belong")
        return instruction

    def instruct(self, prompt: str, has_faces: bool) -> str:
        """The instruction for a look's words."""
        instruction = self.instruction.replace("{prompt}", prompt)
        return f"{instruction} {self.faces_note}" if has_faces else instruction


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
    family: Annotated[
        Literal["sdxl", "flux2-klein"], Field(description="Kind of networks, and so what draws with them")
    ] = "sdxl"
    commission_first: Annotated[
        bool, Field(description="`auto` takes it only once it was commissioned on this machine")
    ] = False
    rehearsal: Annotated[bool, Field(description="Good for trying out; its rounds are marked as rehearsal")]
    canvas: Annotated[tuple[int, int], Field(description="Width and height in px, 4:5, multiples of 8")]
    size_told: Annotated[
        tuple[int, int] | None, Field(description="Width and height in px that SDXL is told of; else canvas")
    ] = None
    framing: Annotated[Framing | None, Field(description="Instead of the look's, on a small canvas")] = None
    distilled: Annotated[
        int | None, Field(ge=1, le=16, description="Steps that the networks were distilled to; else absent")
    ] = None
    scheduler: Literal["euler-trailing", "flow-match-euler"]
    guidance: Annotated[float, Field(ge=0, le=15, description="Classifier-free guidance; off up to 1")]
    steps: Annotated[int, Field(ge=1, le=100, description="Steps from pure noise")]
    starts: Annotated[
        tuple[Start, ...], Field(min_length=1, description="What its networks were trained to start from")
    ] = ("noise", "plate")
    start: Annotated[Start, Field(description="From noise, or image to image from the plate")]
    strength: Annotated[
        float | None, Field(ge=0, le=1, validate_default=True, description="For a start from the plate")
    ] = None
    subject: Annotated[
        str, Field(max_length=60, description="Words for whom it draws, before the look's; mini learned none")
    ] = ""
    identity: Annotated[
        float | None, Field(ge=0, le=1, description="Identity adapter's scale, instead of the look's")
    ] = None
    pose: Annotated[
        float | None, Field(ge=0, le=1.5, description="ControlNet's scale, instead of the look's")
    ] = None
    dial: Annotated[
        Dial | None, Field(description="Ends of the dial between close to the sitter and free")
    ] = None
    bounds: Annotated[Bounds | None, Field(description="What portraits must hold to go on stage")] = None
    licence: Annotated[Sentence, Field(description="What an operator must know about all parts together")]
    restricted: Annotated[bool, Field(description="A part has use restrictions that bind the event too")]
    memory: Annotated[tuple[Plan, ...], Field(min_length=1, description="Machines that it fits, and how")]
    parts: Parts
    capabilities: Annotated[frozenset[Capability], Field(description="What the networks listen to")]
    edit: Annotated[
        Edit | None, Field(validate_default=True, description="For networks that are shown pictures")
    ] = None
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
            raise rule("A canvas is 4:5, in multiples of 8 px, 64 to 2048 px wide")
        return canvas

    @field_validator("scheduler")
    @classmethod
    def _of_the_family(cls, scheduler: str, info: ValidationInfo) -> str:
        family = info.data.get("family")
        if family and scheduler != SCHEDULERS[family]:
            raise rule(f"Networks of the family {family} take {SCHEDULERS[family]}")
        return scheduler

    @field_validator("guidance", "steps")
    @classmethod
    def _as_distilled(cls, value: object, info: ValidationInfo) -> object:
        wanted = {"guidance": 0.0, "steps": info.data.get("distilled")}
        if info.data.get("distilled") and value != wanted[info.field_name or ""]:
            raise rule(
                f"A model distilled to {info.data['distilled']} steps takes {wanted[info.field_name or '']}"
            )
        return value

    @field_validator("start")
    @classmethod
    def _as_trained(cls, start: Start, info: ValidationInfo) -> Start:
        if start not in info.data.get("starts", (start,)):
            raise rule("A start is one of starts")
        return start

    @field_validator("strength")
    @classmethod
    def _whole_steps(cls, strength: float | None, info: ValidationInfo) -> float | None:
        if info.data.get("start") == "plate" and "steps" in info.data:
            try:
                _steps_run(info.data["steps"], strength, info.data.get("distilled"))
            except ChoiceError as error:
                raise rule(str(error).rstrip(".")) from error
        elif strength is not None:
            raise rule("Only a start from the plate has a strength")
        return strength

    @field_validator("memory")
    @classmethod
    def _as_the_family_can(cls, memory: tuple[Plan, ...], info: ValidationInfo) -> tuple[Plan, ...]:
        family = info.data.get("family", "")
        for plan in memory if family else ():
            if plan.keep not in KEEPS[family]:
                raise rule(f"Networks of the family {family} are kept {' or '.join(KEEPS[family])}")
        return memory

    @field_validator("capabilities")
    @classmethod
    def _as_equipped(cls, capabilities: frozenset[Capability], info: ValidationInfo) -> frozenset[Capability]:
        parts = info.data.get("parts")
        needs = (("identity", "identity"), ("identity", "image_encoder"), ("pose", "controlnet"))
        for capability, role in needs if parts else ():
            if (capability in capabilities) != bool(getattr(parts, role)):
                raise rule(f"The capability {capability} and the part {role} go together")
        return capabilities

    @field_validator("edit")
    @classmethod
    def _as_listening(cls, edit: Edit | None, info: ValidationInfo) -> Edit | None:
        listens = info.data.get("capabilities")
        if listens is not None and ("references" in listens) != bool(edit):
            raise rule("The capability references and the key edit go together")
        return edit

    @field_validator("finish")
    @classmethod
    def _over_the_plate(cls, finish: str | None, info: ValidationInfo) -> str | None:
        if finish and info.data.get("starts") != ("plate",):
            raise rule("A finish with the plate's detail needs starts = plate alone")
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

    def dial_at(self, turns: int, identity: float, start: Start | None = None) -> DialEnd:
        """Start strength and identity scale at a place of the dial, which moves what the set has of the two.

        `turns` is -2 (close to the sitter) to 2 (free); 0 stands for the set's own strength and `identity`,
        the look's. A strength is of whole steps, and beside the middle always of others than the middle's,
        unless that is the end itself. Raises `ChoiceError` for another place, or without a dial.
        """
        if self.dial is None or not -DIAL_TURNS <= turns <= DIAL_TURNS:
            raise ChoiceError(f"{self.name} has no place {turns} on its dial.")
        end, share = (self.dial.free if turns > 0 else self.dial.close), abs(turns) / DIAL_TURNS
        own, middle = self.course(start), self.identity if self.identity is not None else identity
        strength = own.strength
        if turns and strength is not None and end.strength is not None:
            last = max(1, round(self.steps * end.strength))
            steps = round(own.executed_steps + share * (last - own.executed_steps))
            if steps == own.executed_steps != last:  # no place for another between: then the end's side
                steps += 1 if last > steps else -1
            strength = steps / self.steps
        scale = None if end.identity is None else round(middle + share * (end.identity - middle), 3)
        return DialEnd(strength=strength, identity=scale)

    def places(self, identity: float, start: Start | None = None) -> tuple[int, ...]:
        """The places of the dial that differ from one another, close to free; of two alike the outer one."""
        kept: dict[tuple[int, float | None], int] = {}
        for turns in (*range(-DIAL_TURNS, 0), *range(DIAL_TURNS, -1, -1)) if self.dial else ():
            place = self.dial_at(turns, identity, start)
            drawn = self.course(start, place.strength).executed_steps, place.identity
            if turns == 0 or drawn not in kept:
                kept[drawn] = turns
        return tuple(sorted(kept.values()))

    def plan(self, kind: DeviceKind, gigabytes: float) -> Plan | None:
        """How to lay the networks out on such a machine; None when they do not fit."""
        return memory_plan(self.memory, kind, gigabytes)

    @property
    def runs_anywhere(self) -> bool:
        """Whether it fits every machine: then nobody needs to ask torch about one."""
        return any(plan.device == "cpu" and plan.gigabytes == 0 for plan in self.memory)

    @property
    def least(self) -> str:
        """The smallest machines that it fits, for a sentence: `7.5 GB of GPU memory`."""
        least: dict[DeviceKind, float] = {}
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


def read_model_sets(folder: Path = MODEL_SETS) -> dict[str, ModelSet]:
    """All model sets of a folder by name, sorted. Raises `PresetError`."""
    return read_presets(folder, ModelSet)
