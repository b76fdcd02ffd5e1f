"""Model sets: what a file may say, what fits a machine, what is on it, what fetching brings."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import ChoiceError, NotDownloaded, OperatorError, PresetError
from pipelines.draw.fetch import downloads, fetch
from pipelines.draw.machine import Device, choose, is_here, locate
from pipelines.draw.model_set import MODEL_SETS, ModelSet, read_model_sets
from pipelines.ladder import has_dial, rungs
from pipelines.look import read_expressions, read_looks
from pipelines.order import Order
from presets import read_preset
from tests.served_hub import FakeHub, serve

CARD_24 = Device("cuda", 25.4, "a card sold as 24 GB")
CARD_4 = Device("cuda", 4.2, "a card sold as 4 GB")
PROCESSOR = Device("cpu", 33.0, "the processor")
STRENGTH = f"strength = {read_model_sets()['mini'].strength:g}"


@pytest.fixture(scope="module")
def sets() -> dict[str, ModelSet]:
    return read_model_sets()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, sets: dict[str, ModelSet]) -> Path:
    from tests.hub import build_hub  # here: it imports torch

    return build_hub(tmp_path_factory.mktemp("hub"), sets.values())


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.hub import build_local

    return build_local(tmp_path_factory.mktemp("weights"))


def hub_with(hub: Path, there: ModelSet, folder: Path) -> Path:
    """A cache that holds one set's files and no others."""
    for part in there.parts.by_role().values():
        inside = f"models--{part.repo.replace('/', '--')}/snapshots/{part.revision}"
        for name in part.files:
            (folder / inside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(hub / inside / name, folder / inside / name)
    return folder


def changed(name: str, folder: Path, old: str, new: str) -> Path:
    """A shipped file with one thing changed."""
    text = (MODEL_SETS / f"{name}.toml").read_text()
    assert old in text
    path = folder / f"{name}.toml"
    path.write_text(text.replace(old, new, 1))
    return path


def test_shipped_sets_repeat_at_the_next_event(sets: dict[str, ModelSet]) -> None:
    for model_set in sets.values():
        for part in model_set.parts.by_role().values():
            assert part.local or re.fullmatch("[0-9a-f]{40}", part.revision), f"{model_set.name}: {part.repo}"


def test_shipped_sets_are_real_networks(sets: dict[str, ModelSet]) -> None:
    owners = {part.place.split("/")[0] for one in sets.values() for part in one.parts.by_role().values()}
    assert not {owner for owner in owners if re.search("test|tiny|dummy|random", owner)}


def test_a_set_tells_licences_limits_and_rehearsal(sets: dict[str, ModelSet]) -> None:
    line = sets["realvis-lightning"].licence_line
    assert "CreativeML OpenRAIL++-M: SG161222/RealVisXL_V5.0, ByteDance/SDXL-Lightning" in line
    assert "Apache-2.0: xinsir/controlnet-openpose-sdxl-1.0, h94/IP-Adapter" in line
    assert sets["realvis-lightning"].restricted
    assert sets["mini"].rehearsal and not sets["realvis-lightning"].rehearsal
    assert sets["mini"].capabilities == {"prompt", "pose"}
    assert sets["mini"].finish and not sets["realvis-lightning"].finish


def test_every_expression_that_a_set_offers_does_something(sets: dict[str, ModelSet]) -> None:
    expressions = read_expressions()
    for model_set in sets.values():
        assert model_set.expressions and set(model_set.expressions) <= set(expressions)
        if model_set.starts == ("plate",):  # its words move nothing: the plate's mouth must be moved
            assert all(expressions[name].smile for name in model_set.expressions)


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        (
            "sdxl-lightning",
            "\nsteps = 8",
            "\nsteps = 6",
            r"steps = 6\. A model distilled to 8 steps takes 8\.",
        ),
        ("sdxl-lightning", "guidance = 0.0", "guidance = 2.5", r"guidance = 2\.5\. A model distilled to 8"),
        (
            "sdxl-lightning",
            "euler-trailing",
            "flow-match-euler",
            r"scheduler = .* Networks of the family sdxl take",
        ),
        ("sdxl-quality", "euler-trailing", "dpm++-karras", r"scheduler = 'dpm\+\+-karras'\. "),
        (
            "sdxl-lightning",
            "strength = 0.375",
            "strength = 0.6",
            r"strength = 0\.6\. Strength 0\.6 cuts a schedule of 8 steps\. It can be 0\.125, 0\.25, 0\.375, ",
        ),
        ("sdxl-lightning", "strength = 0.375", "", r"strength = None\. A start from the plate"),
        ("sdxl-lightning", 'start = "plate"', 'start = "noise"', r"strength = 0\.375\. Only a"),
        ("mini", STRENGTH, "strength = 0.04", r"strength = 0\.04\. .* leaves none of 20 steps"),
        ("mini", STRENGTH, "strength = 0.0", r"strength = 0\.0\. "),
        ("mini", "canvas = [256, 320]", "canvas = [256, 300]", r"canvas = \[256, 300\]\. A canvas is 4:5"),
        ("mini", '"prompt", "pose"', '"prompt", "identity"', r"capabilities = .* go together\."),
        (
            "mini",
            'starts = ["plate"]',
            'starts = ["noise", "plate"]',
            r"finish = 'detail'\. A finish with the",
        ),
        ("mini", 'finish = "detail"', 'finish = "gloss"', r"finish = 'gloss'\. "),
        ("mini", 'local = "mini"', 'local = "mini"\nrepo = "a/b"', r"parts\.base\.local = 'mini'\. A part"),
        ("mini", 'local = "mini"\n', "", r"parts\.base\.local = ''\. A part lies in a repo or in a local"),
        ("mini", "rank = 0", "rank = 0\nname = 'other'", r"name = 'other'\."),
        ("mini", "rank = 0", "rank = 0\nspeed = 3", r"speed = 3\. Extra inputs are not permitted\."),
        ("mini", "batch = 8", "batch = 0", r"memory\.0\.batch = 0\."),
        ("sdxl-lightning", "compiled = 4", "compiled = 12", r"memory\.0\.compiled = 12\. .* batch at most"),
        (
            "sdxl-lightning",
            "batch = 8",
            'keep = "visiting"\nbatch = 8',
            r"memory\.0\.compiled = 4\. Only netw",
        ),
        (
            "sdxl-lightning",
            '"visiting"',
            '"offload"',
            r"memory = .* sdxl are kept resident or visiting or fp8",
        ),
        ("sdxl-laptop", "head_height = 0.55", "head_height = 0.9", r"framing\.head_height = 0\.9\."),
    ],
)
def test_a_wrong_set_is_refused_by_file_key_and_value(
    name: str, old: str, new: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(PresetError, match=rf"^{name}\.toml: {sentence}"):
        read_preset(changed(name, tmp_path, old, new), ModelSet)


def test_a_distilled_set_may_start_from_the_plate_at_a_whole_step(tmp_path: Path) -> None:
    path = changed("sdxl-lightning", tmp_path, "strength = 0.375", "strength = 0.75")
    assert read_preset(path, ModelSet).course().executed_steps == 6


@given(st.integers(1, 100), st.floats(0, 1), st.booleans())
def test_a_course_runs_as_many_steps_as_diffusers_counts_or_is_refused(
    steps: int, strength: float, distilled: bool
) -> None:
    mini = read_preset(MODEL_SETS / "mini.toml", ModelSet)
    one = mini.model_copy(update={"steps": steps, "distilled": steps if distilled else None})
    try:
        course = one.course("plate", strength)
    except ChoiceError:
        assert int(steps * strength) == 0 or (distilled and steps * strength % 1)
    else:
        assert course.executed_steps == int(steps * strength) >= 1
        assert (course.start, course.strength, course.requested_steps) == ("plate", strength, steps)


def test_from_noise_all_steps_run_and_there_is_no_strength(sets: dict[str, ModelSet]) -> None:
    course = sets["sdxl-quality"].course("noise")
    assert (course.strength, course.requested_steps, course.executed_steps) == (None, 30, 30)
    with pytest.raises(ChoiceError, match="Only a start from the plate has a strength"):
        sets["sdxl-quality"].course("noise", 0.5)


def test_a_set_starts_only_from_what_it_was_trained_for(sets: dict[str, ModelSet]) -> None:
    with pytest.raises(ChoiceError, match="mini cannot start from noise"):
        sets["mini"].course("noise")


@pytest.mark.parametrize(
    ("gigabytes", "keep", "batch"),
    [
        (150.0, "resident", 8),  # H200
        (25.4, "resident", 8),  # sold as 24 GB
        (24.1, "resident", 8),  # A10G, sold as 24
        (16.9, "resident", 4),
        (15.8, "resident", 4),  # T4, sold as 16
        (12.6, "visiting", 2),
        (8.3, "fp8", 2),
        (6.4, None, 0),
    ],
)
def test_the_memory_plan_follows_the_card(
    gigabytes: float, keep: str | None, batch: int, sets: dict[str, ModelSet]
) -> None:
    plan = sets["realvis-lightning"].plan("cuda", gigabytes)
    assert (plan.keep, plan.batch) == (keep, batch) if plan else keep is None


def test_the_laptop_set_runs_without_a_card_and_the_large_ones_do_not(sets: dict[str, ModelSet]) -> None:
    assert sets["sdxl-laptop"].plan("cpu", 33.0)
    assert sets["sdxl-laptop"].plan("mps", 25.0)
    assert not sets["realvis-lightning"].plan("cpu", 500.0)
    for kind in ("cpu", "cuda", "mps"):
        assert sets["mini"].plan(kind, 1.0)


def test_a_set_is_here_when_its_last_file_is(
    hub: Path, weights: Path, sets: dict[str, ModelSet], tmp_path: Path
) -> None:
    one = sets["realvis-lightning"]
    cache = hub_with(hub, one, tmp_path)
    assert is_here(one, cache)
    assert locate(one, cache)["image_encoder"].name == "image_encoder"
    (adapter,) = tmp_path.rglob("ip-adapter-plus-face_sdxl_vit-h.safetensors")
    adapter.unlink()
    with pytest.raises(NotDownloaded, match=r"^not downloaded: h94/IP-Adapter"):
        locate(one, cache)
    assert is_here(sets["mini"], tmp_path, weights)
    assert not is_here(sets["mini"], tmp_path, tmp_path)


def test_auto_takes_the_best_that_is_here_and_fits(
    hub: Path, weights: Path, sets: dict[str, ModelSet], tmp_path: Path
) -> None:
    chosen, why = choose(sets, "auto", CARD_24, hub, weights)
    assert chosen.name == "realvis-lightning"
    assert why == (
        "RealVisXL, Lightning, the best of those on this machine, because it fits a card sold as 24 GB "
        "with 25 GB."
    )
    assert choose(sets, "auto", PROCESSOR, hub, weights)[0].name == "sdxl-laptop"
    quality = hub_with(hub, sets["sdxl-quality"], tmp_path)
    assert choose(sets, "auto", CARD_24, quality, weights)[0].name == "sdxl-quality"


def test_auto_falls_back_to_the_small_set_and_says_why(
    hub: Path, weights: Path, sets: dict[str, ModelSet], tmp_path: Path
) -> None:
    chosen, why = choose(sets, "auto", CARD_4, hub, weights)
    assert chosen.name == "mini"
    assert "RealVisXL, Lightning needs 7.5 GB of GPU memory" in why
    alone, why = choose(sets, "auto", "auto", tmp_path, weights)
    assert (alone.name, why) == (
        "mini",
        "Small offline model, the best of those on this machine, because it runs on any machine.",
    )


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 6938040682\n"
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda whole: whole[: len(whole) // 2],
    "cut in its head": lambda whole: whole[:20],
    "cut by a byte": lambda whole: whole[:-1],
    "a pointer": lambda _: POINTER,
    "empty": lambda _: b"",
    "zeros": lambda whole: bytes(len(whole)),
    "another header": lambda whole: whole[:8] + b"[" * (len(whole) - 8),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_set_is_passed_over_in_a_sentence_and_fetched_again(
    online: FakeHub, hub: Path, weights: Path, sets: dict[str, ModelSet], tmp_path: Path, damage: str
) -> None:
    one = sets["realvis-lightning"]
    cache = hub_with(hub, one, tmp_path)
    (link,) = tmp_path.rglob("ip-adapter-plus-face_sdxl_vit-h.safetensors")
    whole = link.read_bytes()
    link.unlink()
    link.write_bytes(DAMAGES[damage](whole))
    with pytest.raises(NotDownloaded, match=r"^damaged: .*ip-adapter.* of h94/IP-Adapter\. .* fetch real"):
        locate(one, cache)
    chosen, why = choose({"mini": sets["mini"], one.name: one}, "auto", CARD_24, cache, weights)
    assert chosen.name == "mini" and f"{one.title} is damaged: " in why
    fetch(one, lambda _: None, cache, online.endpoint)
    assert is_here(one, cache)
    assert [name.rsplit("/", 1)[-1] for _, name in online.sent] == [link.name]


def test_a_pointer_in_place_of_a_small_file_is_seen_too(
    weights: Path, sets: dict[str, ModelSet], tmp_path: Path
) -> None:
    copy = tmp_path / "weights"
    shutil.copytree(weights, copy)
    (copy / "mini" / sets["mini"].parts.base.files[0]).write_bytes(POINTER)
    with pytest.raises(NotDownloaded, match=r"^damaged: .* of weights/mini\. .* git lfs pull$"):
        choose({"mini": sets["mini"]}, "auto", CARD_24, tmp_path, copy)


def test_auto_with_nothing_here_or_nothing_that_fits_says_so(
    hub: Path, sets: dict[str, ModelSet], tmp_path: Path
) -> None:
    with pytest.raises(NotDownloaded, match="weights/mini"):
        choose(sets, "auto", CARD_24, tmp_path, tmp_path)
    with pytest.raises(ChoiceError, match=r"No model set fits this machine: .* needs 7\.5 GB of GPU memory"):
        choose(sets, "auto", CARD_4, hub, tmp_path)


def test_a_name_is_taken_at_its_word_and_an_unknown_one_refused(
    sets: dict[str, ModelSet], tmp_path: Path
) -> None:
    chosen, why = choose(sets, "sdxl-quality", CARD_4, tmp_path, tmp_path)
    assert (chosen.name, why) == ("sdxl-quality", "RealVisXL, 30 steps, because the setting names it.")
    with pytest.raises(ChoiceError, match=r"'sdxl-turbo'\. There are: .*mini, .*sdxl-quality, auto\."):
        choose(sets, "sdxl-turbo", CARD_24, tmp_path, tmp_path)


def test_a_download_names_every_file_once_and_no_other(sets: dict[str, ModelSet]) -> None:
    for one in sets.values():
        wanted = [
            (part.repo, name) for part in one.parts.by_role().values() if part.repo for name in part.files
        ]
        planned = [(download.repo, name) for download in downloads(one) for name in download.files]
        assert sorted(planned) == sorted(set(wanted))
    base = downloads(sets["sdxl-lightning"])[0]
    assert "unet/config.json" in base.files  # and not its weights: Lightning's take their place
    assert not any(name.startswith("unet/diffusion") for name in base.files)
    assert all("fp16" in name for name in base.files if name.endswith(".safetensors"))
    assert downloads(sets["mini"]) == ()


@pytest.fixture
def online(hub: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The Hub's protocol on this machine, with the tiny networks behind it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    with serve(hub) as server:
        yield server


def test_fetching_brings_a_whole_set_and_tells_how_far_it_is(
    online: FakeHub, sets: dict[str, ModelSet], tmp_path: Path
) -> None:
    said: list[str] = []
    one = sets["realvis-lightning"]
    fetch(one, said.append, tmp_path / "cache", online.endpoint)
    assert is_here(one, tmp_path / "cache")
    assert said[-1] == "All files of realvis-lightning are on this machine."
    percents = [int(found[1]) for line in said if (found := re.search(r"\((\d+) %\)", line))]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert set(online.sent) <= {(plan.repo, name) for plan in downloads(one) for name in plan.files}


def test_fetching_again_asks_for_nothing(online: FakeHub, sets: dict[str, ModelSet], hub: Path) -> None:
    said: list[str] = []
    fetch(sets["sdxl-quality"], said.append, hub, online.endpoint)
    assert said == ["All files of sdxl-quality are on this machine."]
    assert online.sent == []


def test_fetching_brings_only_what_is_missing(
    online: FakeHub, sets: dict[str, ModelSet], hub: Path, tmp_path: Path
) -> None:
    cache = hub_with(hub, sets["sdxl-lightning"], tmp_path)
    fetch(sets["realvis-lightning"], lambda _: None, cache, online.endpoint)
    repos = {repo for repo, _ in online.sent}
    assert repos == {"SG161222/RealVisXL_V5.0", "ByteDance/SDXL-Lightning"}


def test_fetching_goes_on_after_the_network_failed(
    online: FakeHub, sets: dict[str, ModelSet], tmp_path: Path
) -> None:
    one = sets["sdxl-lightning"]
    online.fail_after = 5
    with pytest.raises(OperatorError, match=r"could not be fetched \(.*\)\. What has come so far is kept"):
        fetch(one, lambda _: None, tmp_path, online.endpoint)
    assert not is_here(one, tmp_path)
    online.fail_after, before = None, len(online.sent)
    fetch(one, lambda _: None, tmp_path, online.endpoint)
    assert is_here(one, tmp_path)
    assert len(online.sent) == len(set(online.sent))  # nothing was sent twice
    assert before == 5


def test_fetching_to_a_full_disk_is_refused_before_anything_is_sent(
    online: FakeHub, sets: dict[str, ModelSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    online.weight = 10**9  # each file pretends to be so large
    with pytest.raises(OperatorError, match=r"sdxl-lightning needs \d+\.\d GB more, and .* GB are free"):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2, 1, 10**9))
        fetch(sets["sdxl-lightning"], lambda _: None, tmp_path, online.endpoint)
    assert online.sent == []
    assert list(tmp_path.iterdir()) == []


def test_fetching_a_file_that_is_gone_names_it(
    online: FakeHub, sets: dict[str, ModelSet], tmp_path: Path
) -> None:
    online.gone = "sdxl_lightning_8step_unet.safetensors"
    with pytest.raises(
        OperatorError, match=r"^ByteDance/SDXL-Lightning has no file sdxl_lightning_8step_unet"
    ):
        fetch(sets["sdxl-lightning"], lambda _: None, tmp_path, online.endpoint)


def test_fetching_without_a_network_is_said_in_a_sentence(sets: dict[str, ModelSet], tmp_path: Path) -> None:
    with pytest.raises(
        OperatorError, match=r"stabilityai/stable-diffusion-xl-base-1\.0 could not be fetched"
    ):
        fetch(sets["sdxl-lightning"], lambda _: None, tmp_path, "http://127.0.0.1:9")


def test_the_set_that_comes_with_the_project_cannot_be_fetched(
    sets: dict[str, ModelSet], tmp_path: Path
) -> None:
    elsewhere = sets["mini"].model_copy(
        update={
            "parts": sets["mini"].parts.model_copy(
                update={"base": sets["mini"].parts.base.model_copy(update={"local": "nowhere"})}
            )
        }
    )
    with pytest.raises(ChoiceError, match=r"^mini comes with the project"):
        fetch(elsewhere, lambda _: None, tmp_path)


def test_the_dial_goes_from_close_to_free_in_whole_steps_around_the_sets_own(
    sets: dict[str, ModelSet],
) -> None:
    for model_set in (one for one in sets.values() if one.dial):
        places = [model_set.dial_at(turns, identity=0.7) for turns in range(-2, 3)]
        strengths = [place.strength for place in places if place.strength is not None]
        steps = [model_set.course("plate", strength).executed_steps for strength in strengths]
        assert steps == sorted(set(steps)) and len(steps) == 5  # each place draws otherwise
        assert places[2].strength == model_set.strength
        scales = [place.identity for place in places if place.identity is not None]
        assert scales == sorted(scales, reverse=True)
        assert len(scales) == (5 if "identity" in model_set.capabilities else 0)


def test_beside_the_middle_the_dial_draws_otherwise_wherever_the_middle_is(
    sets: dict[str, ModelSet],
) -> None:
    lightning = sets["realvis-lightning"]
    for steps in range(1, 7):
        moved = lightning.model_copy(update={"strength": steps / 8})
        taken = [
            moved.course("plate", moved.dial_at(turns, 0.7).strength).executed_steps for turns in range(-2, 3)
        ]
        assert taken == sorted(taken) and taken[2] == steps and (taken[0], taken[4]) == (1, 6)
        assert (taken[1] < steps or steps == 1) and (taken[3] > steps or steps == 6)
    ended = lightning.model_copy(update={"strength": 0.125, "identity": 0.9})
    assert ended.places(0.7) == (0, 1, 2)  # at its close end: there is nothing closer
    assert lightning.model_copy(update={"strength": 0.25, "identity": 0.9}).places(0.7) == (-2, 0, 1, 2)
    quality = sets["sdxl-quality"].model_copy(
        update={"strength": 0.76, "identity": 0.4}
    )  # 22 steps, as its end
    assert quality.places(0.7) == (-2, -1, 0)
    assert lightning.places(0.7) == (-2, -1, 0, 1, 2) and sets["klein"].places(0.7) == ()


def test_the_dial_moves_the_face_alone_where_a_portrait_starts_from_noise(sets: dict[str, ModelSet]) -> None:
    lightning = sets["realvis-lightning"]
    places = [lightning.dial_at(turns, 0.7, "noise") for turns in (-2, 0, 2)]
    assert [place.strength for place in places] == [None, None, None]
    assert [place.identity for place in places] == [0.9, 0.7, 0.4]
    assert lightning.model_copy(update={"identity": 0.8}).dial_at(0, 0.7).identity == 0.8  # as commissioned
    with pytest.raises(ChoiceError, match="no place 3 on its dial"):
        lightning.dial_at(3, 0.7)


def test_every_step_of_the_ladder_draws_otherwise_on_every_set(sets: dict[str, ModelSet]) -> None:
    for model_set in (one for one in sets.values() if has_dial(one)):
        courses = {
            (one.strength and model_set.course(one.start, one.strength).executed_steps, one.identity)
            for one in rungs(Order(read_looks()["grey"]), model_set)
        }
        executed = {steps for steps, _ in courses}
        assert len(courses) == 6
        assert len(executed) == (6 if "plate" in model_set.starts else 1)


def test_every_set_with_a_plate_to_start_from_starts_there(sets: dict[str, ModelSet]) -> None:
    assert {one.start for one in sets.values() if "plate" in one.starts} == {"plate"}
    for name in ("realvis-lightning", "sdxl-laptop", "sdxl-lightning"):
        course = sets[name].course()
        assert (course.strength, course.executed_steps, course.requested_steps) == (0.375, 3, 8)
