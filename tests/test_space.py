"""A Hugging Face Space: it starts with the real `spaces` package, and is pushed as one folder."""

from dataclasses import dataclass, field
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import errors
from bin.space import CARRIED, OTHERS, preloaded, write
from booth.visits import MOST_VISITS
from pipelines.draw.fetch import downloads
from pipelines.draw.model_set import read_model_sets
from pipelines.draw.zero_gpu import STATED_S
from settings import version
from tests.zero_gpu import OURS, REFUSALS, space

ROOT = Path(__file__).parent.parent
SETS = read_model_sets()
DRAWN_WITH = SETS["realvis-lightning"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.hub import build_local  # here: it imports torch

    return build_local(tmp_path_factory.mktemp("weights"))


@dataclass(frozen=True)
class Started:
    """What was found of a Space that ran."""

    found: dict[str, Any]
    asked: list[tuple[str, dict[str, str]]]  # of who lends cards
    packed: list[Path] = field(default_factory=list)
    kept: frozenset[str] = frozenset()  # files of weights in the Hub's cache

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Started:
    """A Space that was built with the files that its head names, and drew once."""
    from tests.hub import build_hub

    folder = tmp_path_factory.mktemp("space")
    hub = build_hub(folder / "hub", [DRAWN_WITH])
    with space(folder, hub) as running:
        found = running.told("start", str(weights))
    packed = list((folder / "packed").iterdir())
    return Started(
        found, running.lender.asked, packed, frozenset(one.name for one in hub.rglob("*.safetensors"))
    )


def test_on_zero_gpu_the_page_starts_with_the_networks_packed(full: Started) -> None:
    found = full.found
    assert (found["exit"], found["state"], found["order"]) == (0, "ready", ["spaces", "torch"])
    assert found["sets"] == ["realvis-lightning", "mini"]
    assert full.paths[0] == "/startup-report"
    assert full.packed  # what is moved to each card that is lent
    # without a GPU the lent process ends where it would begin with CUDA: every step before that was taken
    assert found["lent"] == ["Error", "ZeroGPU worker error", "RuntimeError"]
    assert found["small"] == ["Rendering"] * 2


def test_visitors_may_sign_in_where_a_card_is_lent(full: Started) -> None:
    assert full.found["signs_in"]


def test_no_event_of_a_visitor_is_turned_away(full: Started) -> None:
    assert full.found["queues"] == [MOST_VISITS] * 2  # of Gradio's own accord one there: "Queue is full"


def test_what_the_package_deletes_once_it_is_packed_is_still_named_by_reports(full: Started) -> None:
    wanted = downloads(DRAWN_WITH)
    assert full.found["revisions"] == {one.repo: one.revision for one in wanted}
    assert {Path(name).name for one in wanted for name in one.files if name.endswith("tensors")} - full.kept


def test_the_welcome_portrait_borrows_no_gpu(full: Started) -> None:
    assert full.found["welcome"] == 200
    assert full.paths == ["/startup-report", "/schedule", "/allow", "/release"]  # for the test's own drawing


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, weights: Path, folder: Path) -> Started:
    """The folder that is pushed, as a Space to which nothing was downloaded."""
    place = tmp_path_factory.mktemp("bare")
    with space(place, place / "hub", folder) as running:
        return Started(running.told("start", str(weights)), running.lender.asked)


def test_where_only_the_small_set_is_the_page_starts_and_borrows_nothing(bare: Started) -> None:
    found = bare.found
    assert (found["exit"], found["state"], found["order"]) == (0, "ready", ["spaces", "torch"])
    assert (found["sets"], found["lent"], found["signs_in"]) == (["mini"], ["Rendering"] * 2, False)
    # ZeroGPU stops a Space that has nothing decorated: the package then reports nothing
    assert bare.paths == ["/startup-report"]


def kinds(of: type[Exception] = errors.FaceValueError) -> set[str]:
    return {of.__name__}.union(*(kinds(one) for one in of.__subclasses__()))


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Started:
    """A Space whose lender refuses in every way, then lends to drawings that end in every way."""
    folder = tmp_path_factory.mktemp("lent")
    with space(folder, folder / "hub") as running:
        running.lender.answers.extend(answer for answer, _ in REFUSALS.values())
        found = running.told("lend", str(weights))
    return Started(found, running.lender.asked)


def test_the_package_refuses_whoever_asks_torch_first(lent: Started) -> None:
    assert "CUDA has been initialized before importing the `spaces` package" in lent.found["late"]


def test_every_refusal_of_a_card_is_known_as_one(lent: Started) -> None:
    assert {name: told[0] for name, told in lent.found["refused"].items()} == {
        name: kind.__name__ for name, (_, kind) in REFUSALS.items()
    }


def test_our_errors_come_back_whole_and_others_by_their_name_only(lent: Started) -> None:
    assert {type(one).__name__ for one in OURS} == kinds()
    foreign = ["Error", "ZeroGPU worker error", "ZeroDivisionError"]
    assert lent.found["crossed"] == {**dict.fromkeys(kinds(), True), "foreign": foreign}


def test_a_card_without_enough_memory_is_known_as_one(lent: Started) -> None:
    assert lent.found["full"][0] == "OutOfMemory"


def test_what_is_drawn_on_a_lent_card_is_what_is_drawn_here_and_stops(lent: Started) -> None:
    assert max(lent.found["apart"]) <= 1
    assert (lent.found["first"], lent.found["again"]) == (True, ["Rendering"] * 2)


def test_each_wish_for_a_card_states_the_same_time_and_each_card_is_given_back(lent: Started) -> None:
    wishes = [asked["durationSeconds"] for path, asked in lent.asked if path == "/schedule"]
    assert set(wishes) == {str(STATED_S)}
    ends = [asked["fail"] for path, asked in lent.asked if path == "/release"]
    assert len(ends) == len(wishes) - len(REFUSALS)
    assert ends.count("true") == 2  # the foreign failure, and the memory


def head() -> dict[str, Any]:
    """The README's own, which the Hub reads."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    return read


def pins(text: str) -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    return {
        canonicalize_name(name): version for name, version in (line.split("==") for line in lines if line)
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("made") / "space"
    (made / "old").mkdir(parents=True)
    write(made)
    return made


@pytest.fixture(scope="module")
def pinned(folder: Path) -> dict[str, str]:
    return pins((folder / "requirements.txt").read_text(encoding="utf-8"))


def test_the_head_has_every_file_downloaded_that_the_space_draws_with() -> None:
    assert head()["preload_from_hub"] == preloaded()
    told = [line.split(" ") for line in head()["preload_from_hub"]]
    assert [(repo, tuple(files.split(",")), commit) for repo, files, commit in told] == [
        (one.repo, one.files, one.revision) for one in downloads(DRAWN_WITH)
    ]


def test_the_head_is_one_that_the_hub_takes(pinned: dict[str, str]) -> None:
    found = head()
    assert (found["sdk"], found["app_file"]) == ("gradio", "app.py")
    assert found["sdk_version"] == pinned["gradio"]
    assert found["python_version"] == "3.12"  # ZeroGPU: 3.12.12 or 3.10.13
    assert len(found["short_description"]) <= 60  # or a push is refused
    assert found["hf_oauth_scopes"] == ["read-billing"]  # what a token needs to ask for a quota


def test_the_folder_holds_what_a_space_needs_and_nothing_else(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted((*CARRIED, "requirements.txt"))
    assert not [path for path in folder.rglob("*") if path.name == "__pycache__" or path.suffix == ".pyc"]
    assert (folder / "README.md").read_bytes() == (ROOT / "README.md").read_bytes()


def test_the_app_starts_from_the_folder_alone(bare: Started) -> None:
    assert bare.found["strays"] == []
    assert (bare.found["version"], bare.found["bundled"]) == (version(), ["weights/mini"])


def test_its_requirements_are_what_was_tried_but_for_what_a_space_takes_instead(
    pinned: dict[str, str],
) -> None:
    tried = pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    assert {name: version for name, version in pinned.items() if tried[name] != version} == OTHERS
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    for one in [Requirement(line) for line in lines if not line.startswith("#")]:
        name = canonicalize_name(one.name)
        assert one.specifier.contains(pinned[name]) or name in OTHERS, name
    # what those bring is pinned too; what only tests and lint need is not there
    assert {"h11", "hf-xet", "sentencepiece", "opt-einsum", "psycopg-binary"} <= set(pinned)
    assert not {"pytest", "mypy", "ruff", "playwright", "scikit-learn"} & set(pinned)


def test_its_requirements_fit_what_the_builder_installs_beside_them(pinned: dict[str, str]) -> None:
    for one in [Requirement(line) for line in requires("gradio") or ()]:
        name = canonicalize_name(one.name)
        if one.marker and not any(one.marker.evaluate({"extra": extra}) for extra in ("oauth", "mcp")):
            continue
        assert name not in pinned or one.specifier.contains(pinned[name]), f"{one}, and not {pinned[name]}"


def test_zero_gpu_knows_its_torch(pinned: dict[str, str]) -> None:
    assert pinned["torch"] in ("2.8.0", "2.9.1", "2.10.0", "2.11.0")
