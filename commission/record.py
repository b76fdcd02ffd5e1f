"""What commissioning found on this machine, `FACE_VALUE_DATA/commissioned/SET.toml`, and whether it holds.

A record is made for one file of a model set, one set of weights and, where the set needs one, one card. Once
any of them is another, it says nothing any more. torch is asked for the card only then: that import takes
seconds.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from errors import NotDownloaded
from pipelines.draw.machine import WEIGHTS, choose, find_device, revisions
from pipelines.draw.model_set import ModelSet
from presets import Preset, Sentence, parse_table, read_preset

FOLDER = "commissioned"  # of the data folder

Words = Annotated[str, Field(min_length=1, max_length=400, pattern=r"\S")]


class Commission(Preset):
    """One record. The setting is the best point of the grid; a scale that the set has not is absent."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", description="The set's, and the file's")]
    ready: Annotated[bool, Field(strict=True, description="Whether the set may go on stage")]
    reasons: Annotated[tuple[Words, ...], Field(max_length=40, description="Why not; none where ready")] = ()
    strength: Annotated[float | None, Field(strict=True, gt=0, le=1)] = None
    identity: Annotated[float | None, Field(strict=True, ge=0, le=1)] = None
    pose: Annotated[float | None, Field(strict=True, ge=0, le=1.5)] = None
    device: Annotated[Sentence, Field(description="What it was drawn on")]
    preset: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$", description="Digest of the set's file")]
    revisions: Annotated[dict[str, str], Field(min_length=1, description="Of the weights, by their place")]
    version: Annotated[Sentence, Field(description="Of this software")]
    made: Annotated[date, Field(description="Day, as YYYY-MM-DD")]

    @property
    def setting(self) -> dict[str, float]:
        """What the set takes from it."""
        every = {"strength": self.strength, "identity": self.identity, "pose": self.pose}
        return {name: value for name, value in every.items() if value is not None}

    @property
    def phrase(self) -> str:
        """The setting for a sentence: `strength 0.25, identity 0.8`."""
        return ", ".join(f"{name} {value:.3g}" for name, value in self.setting.items()) or "as its file says"


class Standing(StrEnum):
    """What is known of a set on this machine; each has a sentence, `commission.<value>` of the words."""

    NEVER = "never"
    STALE = "stale"  # other weights, another card, another file of the set than those of the record
    NOT_READY = "not_ready"
    READY = "ready"


@dataclass(frozen=True)
class CommissionState:
    """A standing, and the record that it rests on."""

    standing: Standing
    record: Commission | None = None

    def values(self, name: str) -> dict[str, str]:
        """What the standing's sentence needs."""
        reasons = "; ".join(self.record.reasons) if self.record else ""
        setting = self.record.phrase if self.record else ""
        made = self.record.made.isoformat() if self.record else ""
        return {"name": name, "setting": setting, "date": made, "reasons": reasons}


def commission_state(
    model_set: ModelSet,
    data: Path,
    device: str = "auto",
    cache: Path | None = None,
    weights: Path = WEIGHTS,
) -> CommissionState:
    """What commissioning said of the set. Raises `PresetError` for a record that is none."""
    path = record_path(model_set.name, data)
    if not path.is_file():
        return CommissionState(Standing.NEVER)
    record = read_commission(path)
    apply_record(model_set, record)  # before it is believed
    try:
        holds = (
            record.preset == digest(model_set)
            and record.revisions == revisions(model_set, cache, weights)
            and (model_set.runs_anywhere or record.device == find_device(device).name)
        )
    except NotDownloaded:
        holds = False
    if not holds:
        return CommissionState(Standing.STALE, record)
    return CommissionState(Standing.READY if record.ready else Standing.NOT_READY, record)


def choose_commissioned(
    sets: Mapping[str, ModelSet],
    wanted: str,
    data: Path,
    device: str,
    say: Callable[..., str],
    weights: Path = WEIGHTS,
) -> tuple[ModelSet, str]:
    """The set to use, as it was commissioned on this machine, and why, in sentences for the operator.

    Raises what `choose` raises, and `PresetError` for a record that is none.
    """
    ready = find_ready(sets.values(), data, device, weights=weights)
    chosen = choose(sets, wanted, device, weights=weights, commissioned=ready, say=say)
    return as_commissioned(chosen, data, device, say, weights)


def as_commissioned(
    chosen: tuple[ModelSet, str],
    data: Path,
    device: str,
    say: Callable[..., str],
    weights: Path = WEIGHTS,
) -> tuple[ModelSet, str]:
    """What `choose` gave, with the setting that was commissioned, and a sentence more that tells of it."""
    model_set, why = chosen
    found = commission_state(model_set, data, device, weights=weights)
    sentences = f"{why} {say(f'commission.{found.standing.value}', **found.values(model_set.name))}"
    if found.standing == Standing.READY and found.record:
        model_set = apply_record(model_set, found.record)
    return model_set, sentences


def find_ready(
    sets: Iterable[ModelSet],
    data: Path,
    device: str = "auto",
    cache: Path | None = None,
    weights: Path = WEIGHTS,
) -> frozenset[str]:
    """Names of the sets that wait for it and were found ready: what `auto` may take of them."""
    waiting = [model_set for model_set in sets if model_set.commission_first]
    return frozenset(
        model_set.name
        for model_set in waiting
        if commission_state(model_set, data, device, cache, weights).standing == Standing.READY
    )


def apply_record(model_set: ModelSet, record: Commission) -> ModelSet:
    """The set with the setting of a record. Raises `PresetError` where the set cannot be run so."""
    table = model_set.model_dump() | record.setting
    return parse_table(table, ModelSet, f"{FOLDER}/{record.name}.toml")


def digest(model_set: ModelSet) -> str:
    """Sixteen digits that are others once anything in the set's file is."""
    # a capability's place in its set differs from run to run: sorted
    table = json.dumps(model_set.model_dump(), default=sorted, sort_keys=True)
    return hashlib.sha256(table.encode()).hexdigest()[:16]


def record_path(name: str, data: Path) -> Path:
    """Where the record of a set lies."""
    return data / FOLDER / f"{name}.toml"


def read_commission(path: Path) -> Commission:
    """One record. Raises `PresetError` naming file, key, value and rule."""
    return read_preset(path, Commission)


def encode_record(record: Commission) -> bytes:
    """The record as its file holds it."""
    head = [f"# Written by `python -m pipelines commission {record.name}`; remove the file to take it back."]
    lines = [
        f"{key} = {_toml(value)}" for key, value in record.model_dump().items() if _is_top_level(key, value)
    ]
    table = [f"{_toml(place)} = {_toml(value)}" for place, value in sorted(record.revisions.items())]
    return "\n".join([*head, *lines, "", "[revisions]", *table, ""]).encode()


def _is_top_level(key: str, value: object) -> bool:
    return key not in ("name", "revisions") and value is not None


def _toml(value: object) -> str:
    """A value as TOML writes it; JSON's strings are TOML's basic strings, but for DEL."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
