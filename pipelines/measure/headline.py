"""What a report says first: a program's answer where one was asked, else the largest certain change.

Never two things that contradict each other: where a program does not find the sitter though each measure by
itself is as it was, a second sentence says how both can be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.measure.likeness import Level, LikenessReport, Measure, thresholds

ORDER = (Level.NOT_MEASURED, Level.UNCHANGED, Level.A_LITTLE, Level.CLEARLY)


@dataclass(frozen=True)
class Headline:
    """Keys of presets/words with their values."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)
    then: str = ""  # the sentence after it; empty where the first says all
    then_values: Mapping[str, object] = field(default_factory=dict)


def headline_of(report: LikenessReport | None, recognised: str = "") -> Headline:
    """`recognised` is what a face-recognition program said, a `Level`; empty where nobody asked it."""
    if report is None:
        return Headline("result.unseen")
    largest = largest_change(report)
    if recognised in ("", Level.NOT_MEASURED):
        return Headline(largest.key, largest.values) if largest else Headline(_nothing_sure(report))
    key = f"likeness.recognition_{recognised.replace(' ', '_')}"
    if largest:
        return Headline(key, {}, largest.key, largest.values)
    return Headline(key, {}, bridge(report, recognised))


def largest_change(report: LikenessReport) -> Measure | None:
    """The largest certain one: by its verdict, then by how often it is over what noise and eyes let pass.

    Noise alone will not do: the head's place is known so well that it would win whatever else changed.
    """
    sure = [measure for measure in changes(report) if not measure.unsure]
    return max(sure, key=lambda measure: (ORDER.index(measure.level), _over_limit(measure)), default=None)


def changes(report: LikenessReport) -> list[Measure]:
    """All that changed, certain or not."""
    return [one for one in report.measures.values() if one.level in (Level.A_LITTLE, Level.CLEARLY)]


def _over_limit(measure: Measure) -> float:
    return abs(measure.value or 0.0) / thresholds()[measure.name].flag


def _nothing_sure(report: LikenessReport) -> str:
    if changes(report):
        return "result.unsure"
    is_measured = any(measure.value is not None for measure in report.measures.values())
    return "result.unchanged" if is_measured else "result.unmeasured"


def bridge(report: LikenessReport | None, recognised: str) -> str:
    """The key of what stands between measures that found nothing certain and a program that finds nobody."""
    if report is None or recognised != Level.CLEARLY or largest_change(report):
        return ""
    return "likeness.bridge_small" if changes(report) else "likeness.bridge_same"
