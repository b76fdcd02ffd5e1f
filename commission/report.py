"""A commissioning from photos to files: `commission.html`, `commission.json`, and the record for the app."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any

from commission.grid import Cell, Grid, grid_of
from commission.measure import PortraitRow
from commission.notes import Notes, Write
from commission.page import page
from commission.record import FOLDER, Commission, digest, encode_record, record_path
from commission.run import (
    LOOK,
    Findings,
    Photos,
    Say,
    Sitter,
    Tools,
    example_faces,
    own_photos,
    photos_digest,
    run,
)
from commission.verdict import GROUPS, Check, CommissionVerdict, drifts
from errors import ChoiceError
from pipelines.draw.machine import Device, find_device
from pipelines.draw.model_set import ModelSet
from pipelines.draw.plan import Plan
from pipelines.look import read_looks
from pipelines.marks.note import VERSION
from settings import Settings
from words import read_words


@dataclass(frozen=True, eq=False)
class Circumstances:
    """What was commissioned, and where."""

    model_set: ModelSet
    device: Device
    plan: Plan
    revisions: dict[str, str]
    made: date


def commission(
    tools: Tools,
    settings: Settings,
    out: Path,
    write: Write,
    say: Say,
    photos: Photos | None = None,
    grid: Grid | None = None,
) -> CommissionVerdict:
    """Draw, measure, judge, write report and record; `grid` where another than the set's own is wanted.

    Raises `ChoiceError` for photos that will not do, a set that does not fit, or a disk that is full.
    """
    model_set, device = tools.generator.model_set, find_device(settings.device)
    plan = model_set.plan(device.kind, device.gigabytes)
    if plan is None:
        raise ChoiceError(
            f"{model_set.name} needs {model_set.least}; {device.name} has {device.gigabytes:.0f} GB."
        )
    sitters = example_faces(tools.finder)
    if photos is not None:
        sitters += own_photos(photos, tools.finder, read_words())
    grid = grid or grid_of(model_set, plan, read_looks()[LOOK])
    revisions = tools.generator.revisions()
    refusal = tools.recognizer.refusal
    key = (digest(model_set), revisions, device, VERSION, grid, refusal, photos_digest(sitters))
    notes = Notes(out, key, write)
    say(_announce(model_set, device, sitters, grid, bool(notes.rows)))
    findings = run(tools, sitters, grid, notes, device.gigabytes, say)
    made = Circumstances(model_set, device, plan, revisions, datetime.now(UTC).date())
    write(out, files_of(findings, made))
    record = record_path(model_set.name, settings.data)
    write(record.parent, {record.name: encode_record(record_of(findings, made))})
    notes.forget()
    for line in (_offer(findings.verdict), *caveats(findings)):
        say(line)
    say(f"commission.html and commission.json in {out.name}, {record.name} in {FOLDER} of the data folder")
    return findings.verdict


def files_of(findings: Findings, made: Circumstances) -> dict[str, bytes]:
    """The report for people and for programs."""
    report = build_report(findings, made)
    return {
        "commission.html": page(findings, report, made.model_set.title).encode(),
        "commission.json": json.dumps(report, indent=2).encode(),
    }


def build_report(findings: Findings, made: Circumstances) -> dict[str, Any]:
    """`commission.json`: everything that was measured, without pictures."""
    verdict = findings.verdict
    return {
        "set": made.model_set.name,
        "ready": verdict.ready,
        "reasons": list(verdict.reasons),
        "caveats": caveats(findings),
        "setting": setting_of(verdict.cell),
        "made": made.made.isoformat(),
        "version": VERSION,
        "device": made.device.name,
        "gigabytes": round(made.device.gigabytes, 1),
        "plan": made.plan.model_dump(),
        "revisions": made.revisions,
        "checks": [_check_entry(check) for check in verdict.checks],
        "cells": [
            {
                "cell": cell.name,
                **setting_of(cell),
                "start": cell.start,
                "checks": [_check_entry(check) for check in found],
            }
            for cell, found in verdict.by_cell.items()
        ],
        "skin_by_lightness": skin_by_lightness(findings, verdict.cell),
        "noise_against_plate": noise_against_plate(findings),
        "batches": [
            {"batch": timing.batch, "together": timing.together, "seconds": dict(timing.seconds)}
            | {"gigabytes": dict(timing.gigabytes)}
            for timing in findings.timings
        ],
        "portraits": [_measures(row) for row in findings.rows],
    }


def record_of(findings: Findings, made: Circumstances) -> Commission:
    """What the app reads."""
    verdict = findings.verdict
    return Commission(
        name=made.model_set.name,
        ready=verdict.ready,
        reasons=verdict.reasons,
        device=made.device.name,
        preset=digest(made.model_set),
        revisions=made.revisions,
        version=VERSION,
        made=made.made,
        **setting_of(verdict.cell),
    )


def setting_of(cell: Cell) -> dict[str, Any]:
    """The scales that a cell has."""
    scales = {"strength": cell.strength, "identity": cell.identity, "pose": cell.pose}
    return {name: value for name, value in scales.items() if value is not None}


def skin_by_lightness(findings: Findings, cell: Cell) -> dict[str, dict[str, float | int | None]]:
    """By lightness of the plate's skin: portraits, medians of the drift and of its size, L*."""
    found = drifts([row for row in findings.rows if row.cell == cell.name and row.found])
    return {
        name: {
            "portraits": len(found.get(name, ())),
            "drift": round(median(found[name]), 2) if name in found else None,
            "size": round(median(map(abs, found[name])), 2) if name in found else None,
        }
        for name in GROUPS
    }


def noise_against_plate(findings: Findings) -> list[dict[str, Any]]:
    """The cell that is offered beside each of the other start; empty where the set has one start only."""
    own = findings.verdict.cell
    others = [cell for cell in findings.grid.cells if cell.start != own.start]
    return [
        {"cell": cell.name, "start": cell.start}
        | {check.name: check.value for check in findings.verdict.by_cell[cell]}
        for cell in ([own, *others] if others else ())
    ]


def caveats(findings: Findings) -> list[str]:
    """What a verdict does not cover."""
    seen = drifts([row for row in findings.rows if row.found])
    missing = [name for name in GROUPS if name not in seen]
    sentences = []
    if seen and missing:
        sentences.append(
            f"Nobody with {' or '.join(missing)} skin was measured. Photos of such sitters, with --photos, "
            "would say how they are treated."
        )
    return sentences


def _announce(
    model_set: ModelSet, device: Device, sitters: Sequence[Sitter], grid: Grid, resumed: bool
) -> str:
    count = len(sitters) * len(grid.cells) * grid.seeds
    again = " Going on where the last run stopped." if resumed else ""
    return (
        f"{model_set.title} on {device.name}: {len(grid.cells)} settings, {len(sitters)} faces, "
        f"{count} portraits.{again}"
    )


def _offer(verdict: CommissionVerdict) -> str:
    if verdict.ready:
        return f"Best setting: {verdict.cell.name}. The app takes it from its next start on."
    return f"Best of what was tried: {verdict.cell.name}. The app keeps what the set's file says."


def _check_entry(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "holds": check.holds,
        "value": None if check.value is None else round(check.value, 4),
        "told": check.finding,
        "allowed": check.allowed,
        "source": check.bound.source,
    }


def _measures(row: PortraitRow) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(row) if field.name != "picture"}
