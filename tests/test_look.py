"""Looks and expressions: what is shipped, and what a wrong file is told."""

import tomllib
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from errors import ChoiceError, PresetError
from pipelines.look import EXPRESSIONS, LOOKS, Expression, Light, Look, read_expressions, read_looks
from presets import read_preset

GREY = (LOOKS / "grey.toml").read_text(encoding="utf-8")
OUTDOOR = (LOOKS / "outdoor.toml").read_text(encoding="utf-8")


def written(folder: Path, text: str, name: str = "grey.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def changed(before: str, after: str, text: str = GREY) -> str:
    assert before in text
    return text.replace(before, after, 1)


def test_looks_and_expressions_are_shipped_in_the_order_people_see() -> None:
    looks = ["grey", "black", "white", "corporate", "editorial", "outdoor"]  # a new one may stand anywhere
    assert [name for name in read_looks() if name in looks] == looks
    expressions = ["relaxed", "warm_smile", "serious"]
    assert [name for name in read_expressions() if name in expressions] == expressions


def test_shipped_prompts_are_short_enough_for_the_small_model() -> None:
    for preset in (*read_looks().values(), *read_expressions().values()):
        assert len(preset.prompt) <= 60, preset.name


def test_shipped_looks_differ_in_words_and_backdrop() -> None:
    for look, other in combinations(read_looks().values(), 2):
        assert look.prompt != other.prompt and look.backdrop != other.backdrop, f"{look.name}, {other.name}"


def test_a_new_look_is_one_new_file(tmp_path: Path) -> None:
    written(tmp_path, GREY)
    written(tmp_path, changed("Studio grey", "Studio blue"), "blue.toml")
    looks = read_looks(tmp_path)
    assert looks["blue"].name == "blue"
    assert looks["blue"].title == "Studio blue"


def test_looks_stand_in_the_order_of_their_places(tmp_path: Path) -> None:
    for name, place in (("b", 20), ("a", 20), ("c", 10)):
        written(tmp_path, changed("place = 10\n", f"place = {place}\n"), f"{name}.toml")
    assert list(read_looks(tmp_path)) == ["c", "a", "b"]


def test_a_wrong_look_is_refused_by_file_key_and_value(tmp_path: Path) -> None:
    look = written(tmp_path, changed("fill = 0.55", "fill = 1.4"))
    with pytest.raises(
        PresetError, match=r"^grey\.toml: light\.fill = 1\.4\. Input should be less than or equal"
    ):
        read_preset(look, Look)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("fill = 0.55", "fil = 0.55", "light.fill is missing. Field required."),
        ("[light]", "[light]\nhaze = 1", "light.haze = 1. Extra inputs are not permitted."),
        ('edge = "#55585c"', 'edge = "grey"', "backdrop.edge = 'grey'. String should match"),
        ('edge = "#55585c"', 'edge = "#55585c0"', "backdrop.edge = '#55585c0'. String should match"),
        ('edge = "#55585c"', 'edge = "#55585c\\n"', "backdrop.edge = '#55585c\\n'. String should match"),
        ("key = 40.0", "key = nan", "light.key = nan. Input should be a finite number."),
        ("key = 40.0", "key = true", "light.key = True. Input should be a valid number."),
        ("key = 40.0", 'key = "left"', "light.key = 'left'. Input should be a valid number."),
        ("head_height = 0.50", "head_height = 0.9", "framing.head_height = 0.9. Input should be less"),
        ("pose = 0.9", "pose = 1.6", "pose = 1.6. Input should be less than or equal to 1.5."),
        ('title = "Studio grey"', 'title = "  "', "title = '  '. String should match"),
        ('title = "Studio grey"', 'name = "x"', "name = 'x'. The file's name is the preset's name."),
        ('title = "Studio grey"', "title =", "Invalid value (at line 1"),
    ],
)  # fmt: skip
def test_each_wrong_key_gets_its_own_sentence(
    tmp_path: Path, before: str, after: str, complaint: str
) -> None:
    with pytest.raises(PresetError) as refused:
        read_preset(written(tmp_path, changed(before, after)), Look)
    assert str(refused.value).startswith(f"grey.toml: {complaint}")


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("count = 70", "count = 0", "backdrop.discs.count = 0. Input should be greater"),
        ("count = 70", "count = 7.5", "backdrop.discs.count = 7.5. Input should be a valid integer"),
        ('"#b9cf86"', '"moss"', "backdrop.discs.colours.2 = 'moss'. String should match"),
    ],
)
def test_a_wrong_layer_is_named_down_to_its_item(
    tmp_path: Path, before: str, after: str, complaint: str
) -> None:
    with pytest.raises(PresetError) as refused:
        read_preset(written(tmp_path, changed(before, after, OUTDOOR)), Look)
    assert str(refused.value).startswith(f"grey.toml: {complaint}")


def test_a_file_that_is_missing_or_no_text_is_named_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match=r"^grey\.toml cannot be read"):
        read_preset(tmp_path / "grey.toml", Look)
    (tmp_path / "grey.toml").write_bytes(b"title = '\xff'")
    with pytest.raises(PresetError, match=r"^grey\.toml: ") as refused:
        read_preset(tmp_path / "grey.toml", Look)
    assert str(tmp_path) not in str(refused.value)


def test_a_file_name_that_cannot_be_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match=r"^My Look\.toml: name = 'My Look'"):
        read_preset(written(tmp_path, GREY, "My Look.toml"), Look)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match="at least one"):
        read_looks(tmp_path)


def test_an_expression_is_checked_like_a_look(tmp_path: Path) -> None:
    text = (EXPRESSIONS / "serious.toml").read_text(encoding="utf-8") + "\nvolume = 11\n"
    with pytest.raises(PresetError, match=r"^serious\.toml: volume = 11\."):
        read_preset(written(tmp_path, text, "serious.toml"), Expression)


def test_the_light_of_any_look_can_be_varied() -> None:
    for look in read_looks().values():
        lit = look.relight(key=-30.0, fill=0.25)
        assert (lit.light.key, lit.light.fill) == (-30.0, 0.25)
        assert lit.model_copy(update={"light": look.light, "variation": look.variation}) == look


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_light_outside_its_range_is_refused_with_key_and_value(fill: float) -> None:
    look = read_preset(LOOKS / "grey.toml", Look)
    if 0 <= fill <= 1:
        assert look.relight(fill=fill).light.fill == fill
    else:
        with pytest.raises(ChoiceError, match=r"^light\.fill = "):
            look.relight(fill=fill)


@given(st.text(max_size=200))
def test_any_text_is_a_look_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("looks") / "odd.toml"
    path.write_bytes(text.encode("utf-8", "replace"))
    with pytest.raises(PresetError, match=r"^odd\.toml: "):
        read_preset(path, Look)


@given(
    st.sampled_from(sorted(tomllib.loads(GREY))),
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())),
)
def test_any_value_at_any_key_is_a_look_or_a_validation_error(key: str, value: object) -> None:
    table = {**tomllib.loads(GREY), "name": "odd", key: value}
    try:
        assert Look.model_validate(table).name == "odd"
    except ValidationError as error:
        assert error.errors()[0]["loc"][0] == key


def keys(model: type[BaseModel], above: str = "") -> dict[str, str | None]:
    """Every key that holds a value, with its description."""
    found: dict[str, str | None] = {}
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        found |= keys(inner[0], f"{above}{name}.") if inner else {f"{above}{name}": field.description}
    return found


def test_every_key_says_what_it_is() -> None:
    assert "backdrop.discs.size" in keys(Look)
    for key, description in (keys(Look) | keys(Expression)).items():
        assert description, key


def test_a_look_cannot_be_changed_in_place() -> None:
    look = read_preset(LOOKS / "grey.toml", Look)
    with pytest.raises(ValidationError):
        look.light = Light(key=0.0, fill=1.0)  # type: ignore[misc]
