"""The bench for a card, as far as any machine can tell: what it loads, what it lets go, what it prints."""

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from bench.generate import peak_of, renderings
from bench.gpu import Card, roomy
from pipelines.draw.generate import Cost, load_drawer
from pipelines.draw.model_set import read_model_sets
from tests.hub import build_hub

pytestmark = pytest.mark.draws

SMALL = read_model_sets()["realvis-lightning"].model_copy(update={"canvas": (128, 160)})


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    return Card(SMALL, build_hub(tmp_path_factory.mktemp("hub"), [SMALL]), "cpu")


def test_one_plan_leaves_the_card_before_the_next_is_loaded(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    still: list[list[bool]] = []

    def noted(*given: Any) -> Any:
        gc.collect()
        still.append([one() is not None for one in seen])
        drawer: Any = load_drawer(*given)
        seen.append(weakref.ref(drawer.networks.drawing.unet))
        return drawer

    monkeypatch.setattr("bench.gpu.load_drawer", noted)
    for keep in ("resident", "visiting", "fp8"):
        card.load(card.plan(keep=keep, batch=2))
        assert len(renderings(card.generator, card.request(2))) == 2
    assert still == [[], [False], [False, False]]


def test_a_peak_is_the_most_of_any_stage(card: Card) -> None:
    card.load(card.plan())
    (made,) = renderings(card.generator, card.request(1))
    assert peak_of([made]) is None  # no card here
    stages = (("encode", 9.5), ("denoise", 8.0), ("decode", 3.0))
    costs: Any = tuple(Cost(stage, 1, 0.1, held) for stage, held in stages)  # type: ignore[arg-type]
    object.__setattr__(made, "costs", costs)
    assert peak_of([made]) == 9.5


def test_networks_are_built_in_memory_only_where_that_has_room(tmp_path: Path) -> None:
    assert roomy(1e6) is None
