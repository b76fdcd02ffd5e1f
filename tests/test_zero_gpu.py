"""A lent GPU: drawing goes on in a forked process, and a spent quota is known as one."""

import json
import multiprocessing
import queue
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from errors import ChoiceError, QuotaSpent
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import Generator, Progress, Rendering
from pipelines.draw.model_set import read_model_sets
from pipelines.draw.zero_gpu import STATED_S, ZeroGpuGenerator, is_lent, zero_gpu
from tests.hub import build_local

pytestmark = pytest.mark.draws

MINI = read_model_sets()["mini"]
WIDTH, HEIGHT = MINI.canvas
END = "end"


def forking(task: Callable[..., Any]) -> Callable[..., Any]:
    """Lends as the `spaces` package does: a forked process runs the task, what it yields is pickled."""
    fork = multiprocessing.get_context("fork")

    def there(results: Any, stop: Any, given: tuple[Any, ...]) -> None:
        for result in task(*given):
            results.put(result)
            if stop.is_set():
                break
        results.put(END)

    def lent(*given: Any) -> Iterator[Any]:
        results, stop, over = fork.Queue(), fork.Event(), False
        process = fork.Process(target=there, args=(results, stop, given), daemon=True)
        process.start()
        try:
            while not (over := isinstance(result := results.get(timeout=120), str)):
                yield result
        finally:
            stop.set()
            while not over:  # what is in the pipe would keep the process
                over = isinstance(results.get(timeout=120), str)
                left.append(over)
            process.join(60)
            ended.append(process.exitcode)

    ended: list[int | None] = []
    left: list[bool] = []  # one for each result that nobody wanted, the end among them
    lent.left = left  # type: ignore[attr-defined]
    lent.ended = ended  # type: ignore[attr-defined]
    return lent


def spent(task: Callable[..., Any]) -> Callable[..., Any]:
    """Lends nothing any more, and says so in the package's words."""

    def refused(*given: Any) -> Iterator[Any]:
        raise gr.Error("You have exceeded your GPU quota", title="ZeroGPU quota exceeded")
        yield

    return refused


def request(seed: int = 3) -> DrawRequest:
    grey = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    return DrawRequest(
        "a portrait", "", (np.zeros_like(grey),) * 2, (), (grey,) * 2, (seed, seed + 1), 0.5, 1.0
    )


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_local(tmp_path_factory.mktemp("weights"))


def test_what_is_drawn_over_there_is_what_would_have_been_drawn_here(weights: Path) -> None:
    borrowed = ZeroGpuGenerator(MINI, "cpu", weights=weights, lend=forking)
    borrowed.load()
    events = list(borrowed.draw(request()))
    drawn = [event.image for event in events if isinstance(event, Rendering)]
    here = Generator(MINI, "cpu", weights=weights)
    expected = [event.image for event in here.draw(request()) if isinstance(event, Rendering)]
    assert [isinstance(event, Progress) for event in events][:1] == [True]
    assert len(drawn) == len(expected) == 2
    for one, other in zip(drawn, expected, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


def test_stop_reaches_the_other_process(weights: Path) -> None:
    borrowed = ZeroGpuGenerator(MINI, "cpu", weights=weights, lend=forking)
    borrowed.load()
    events = borrowed.draw(request())
    next(events)
    events.close()  # type: ignore[attr-defined]
    lent: Any = borrowed._lent_draw
    assert lent.ended == [0]
    assert len(lent.left) <= 3  # the step that ran, and the end; not all eight and two portraits


def test_a_spent_quota_is_known_as_one(weights: Path) -> None:
    borrowed = ZeroGpuGenerator(MINI, "cpu", weights=weights, lend=spent)
    with pytest.raises(QuotaSpent):
        list(borrowed.draw(request()))


def test_what_cannot_be_drawn_asks_for_no_card(weights: Path) -> None:
    def lending(task: Callable[..., Any]) -> Callable[..., Any]:
        def lent(*given: Any) -> Iterator[Any]:
            raise AssertionError("a card was asked for")

        return lent

    borrowed = ZeroGpuGenerator(MINI, "cpu", weights=weights, lend=lending)
    with pytest.raises(ChoiceError):
        borrowed.draw(replace(request(), start="noise"))  # it starts from the plate only
    with pytest.raises(ValueError, match="plates"):
        borrowed.draw(replace(request(), plates=()))


def test_the_stated_time_is_what_the_card_of_today_makes_of_it() -> None:
    of_each_card = json.loads((files("spaces") / "zero" / "configs.json").read_text(encoding="utf-8"))
    factors = {card["model"]: card["duration_factor"] for card in of_each_card}
    assert factors["NVIDIA RTX PRO 6000 Blackwell Server Edition"] * STATED_S == 30  # as the README says


def test_any_other_failure_stays_what_it_is(weights: Path) -> None:
    def broken(task: Callable[..., Any]) -> Callable[..., Any]:
        def fail(*given: Any) -> Iterator[Any]:
            raise queue.Empty
            yield

        return fail

    with pytest.raises(queue.Empty) as caught:
        list(ZeroGpuGenerator(MINI, "cpu", weights=weights, lend=broken).draw(request()))
    assert caught.value.__cause__ is None  # least of all itself: whoever tells of causes would never end


def test_the_decorator_is_asked_for_the_time_that_is_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setitem(
        __import__("sys").modules,
        "spaces",
        SimpleNamespace(GPU=lambda duration: asked.append(duration) or (lambda task: task)),
    )
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    lend = zero_gpu()
    assert lend is not None and lend(len) is len
    assert asked == [STATED_S]


@pytest.mark.parametrize(("said", "lent"), [("true", True), ("1", True), ("", False), ("false", False)])
def test_only_zero_gpu_lends(monkeypatch: pytest.MonkeyPatch, said: str, lent: bool) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", said)
    assert is_lent() == lent
    if not lent:
        assert zero_gpu() is None
