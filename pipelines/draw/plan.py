"""How the networks of a set are laid out on a machine: the `[[memory]]` tables of a model set.

Memory is in gigabytes of 10^9 bytes; a card sold as 12 GB reports 12.6 or more.
"""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from presets import Preset, rule

DeviceKind = Literal["cpu", "cuda", "mps"]
Gigabytes = Annotated[float, Field(ge=0, le=2000)]
KIND_WORDS = {"cpu": "main memory", "cuda": "GPU memory", "mps": "memory of an Apple chip"}
KEEPS = {"sdxl": ("resident", "visiting", "fp8"), "flux2-klein": ("resident", "offload")}  # likewise


class Plan(Preset):
    """How the networks are laid out on a machine with at least so much memory."""

    device: DeviceKind
    gigabytes: Annotated[Gigabytes, Field(description="Memory of the card, or of the machine for cpu")]
    keep: Annotated[
        Literal["resident", "visiting", "fp8", "offload"],
        Field(
            description="All networks on the card; encoders there for their turn only; that with U-Net and "
            "ControlNet in 8 bits; every network there for its turn only"
        ),
    ] = "resident"
    batch: Annotated[int, Field(ge=1, le=16, description="Portraits drawn together at most")] = 1
    decode: Annotated[int, Field(ge=1, le=16, description="Portraits decoded together at most")] = 1
    compiled: Annotated[
        int,
        Field(
            ge=0, le=16, description="Batch that networks are compiled for; more are drawn as several such"
        ),
    ] = 0
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16", "quick"],
        Field(description="Numbers computed with; quick: bfloat16 on a processor made for it, else float32"),
    ]

    @field_validator("compiled")
    @classmethod
    def _as_they_lie(cls, compiled: int, info: ValidationInfo) -> int:
        if compiled and info.data.get("keep", "resident") != "resident":
            raise rule("Only networks that stay on the card are compiled")
        if compiled > info.data.get("batch", compiled):
            raise rule("What is compiled for is drawn together: batch at most")
        return compiled


def memory_plan(plans: tuple[Plan, ...], device: DeviceKind, gigabytes: float) -> Plan | None:
    """The plan for the largest card that this one can stand in for; None when even the smallest is larger."""
    fitting = [plan for plan in plans if plan.device == device and plan.gigabytes <= gigabytes]
    return max(fitting, key=lambda plan: plan.gigabytes, default=None)
