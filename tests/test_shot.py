"""Light and crop of each portrait: frames of one session, the same ones for the same order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import PresetError
from pipelines.draw.model_set import read_model_sets
from pipelines.look import LOOKS, Look, Variation, read_looks
from pipelines.order import Order
from pipelines.plate.shot import HEADS, shot
from presets import read_preset

SETS = [one for one in read_model_sets().values()]


@given(
    st.sampled_from(sorted(read_looks())),
    st.sampled_from(SETS),
    st.integers(0, 9),
    st.integers(0, 2**63 - 25),
)
def test_every_shot_stays_within_the_looks_ranges_and_comes_again(
    name: str, model_set: object, place: int, seed: int
) -> None:
    look = read_looks()[name]
    framing = getattr(model_set, "framing", None) or look.framing
    one = shot(look, framing, place, seed)
    assert one == shot(look, framing, place, seed) and look.variation
    if place == 0:
        assert (one.light, one.framing) == (look.light, framing)
        return
    for value, (low, high) in ((one.light.key, look.variation.key), (one.light.fill, look.variation.fill)):
        assert low - 0.06 <= value <= high + 0.06  # rounded
    low, high = (framing.head_height * end for end in look.variation.crop)
    assert min(HEADS[1], low) - 1e-3 <= one.framing.head_height <= high + 1e-3
    assert one.framing.eye_line == framing.eye_line
    assert one.light.rim == look.light.rim  # what has no range is the look's


@pytest.mark.parametrize("name", sorted(read_looks()))
def test_four_portraits_have_four_lights_and_four_crops(name: str) -> None:
    look = read_looks()[name]
    for model_set in SETS:
        shots = Order(look, seed=11).shots(model_set)
        keys, heads = [one.light.key for one in shots], [one.framing.head_height for one in shots]
        assert len(set(keys)) == len(set(heads)) == 4
        assert min(keys) < 0 < max(keys)  # the lamp stands on either side
        assert max(heads) / min(heads) > 1.1


def test_a_look_without_a_range_lights_all_portraits_alike() -> None:
    plain = read_looks()["grey"].model_copy(update={"variation": None})
    assert len(set(Order(plain).shots(SETS[0]))) == 1


def test_a_range_that_is_turned_round_is_refused_by_file_and_key(tmp_path: object) -> None:
    text = (LOOKS / "grey.toml").read_text(encoding="utf-8")
    file = tmp_path / "grey.toml"  # type: ignore[operator]
    file.write_text(text.replace("crop = [0.9, 1.08]", "crop = [1.08, 0.9]"), encoding="utf-8")
    with pytest.raises(PresetError, match=r"^grey\.toml: variation\.crop = .*lowest comes first"):
        read_preset(file, Look)


def test_a_key_light_that_was_asked_for_is_that_of_all_portraits() -> None:
    shots = Order(read_looks()["grey"].relight(key=-80), seed=3).shots(SETS[0])
    assert {one.light.key for one in shots} == {-80}
    assert len({one.light.fill for one in shots}) == 4  # what was not asked for still varies


def test_a_crop_never_leaves_what_a_framing_may_be() -> None:
    look = read_looks()["grey"]
    wide = look.model_copy(update={"variation": Variation(key=(0.0, 0.0), fill=(0.5, 0.5), crop=(0.8, 0.8))})
    framing = look.framing.model_copy(update={"head_height": 0.3})
    assert shot(wide, framing, 1, 0).framing.head_height == HEADS[0]
