"""The line before the machine."""

import threading
from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from booth.line import Line


def test_the_first_to_come_is_served_first_and_the_others_know_how_many_are_before_them() -> None:
    line = Line(turn_s=7)
    with line.place() as first, line.place() as second, line.place() as third:
        assert [line.count_ahead(place) for place in (first, second, third)] == [0, 1, 2]
        assert line.estimated_wait_s(third) == 14


def test_as_many_are_served_at_once_as_there_are_machines() -> None:
    line = Line(turn_s=8, machines=lambda: 2)
    with ExitStack() as standing:
        places = [standing.enter_context(line.place()) for _ in range(5)]
        assert [line.count_ahead(place) for place in places] == [0, 0, 1, 2, 3]
        assert line.estimated_wait_s(places[4]) == 12  # three turns of 8 s, by two machines


def test_a_turn_that_has_begun_goes_on_where_a_machine_is_lost() -> None:
    machines = [2]
    line = Line(machines=lambda: machines[0])
    with line.place() as first, ExitStack() as stack:
        second = stack.enter_context(line.place())
        assert [line.count_ahead(first), line.count_ahead(second)] == [0, 0]
        machines[0] = 1
        with line.place() as third:
            assert [line.count_ahead(place) for place in (first, second, third)] == [0, 0, 2]
            stack.close()
            assert line.count_ahead(third) == 1


def test_a_turn_of_another_kind_does_not_change_how_long_one_usually_takes() -> None:
    line = Line(turn_s=7)
    with line.place(is_measured=False) as ladder:
        assert line.count_ahead(ladder) == 0
    assert line.turn_s == 7
    with line.place() as making:
        assert line.count_ahead(making) == 0
    assert line.turn_s == 1  # over at once


def test_a_line_is_busy_while_somebody_stands_in_it() -> None:
    line = Line()
    assert not line.is_busy
    with line.place():
        assert line.is_busy
    assert not line.is_busy


def test_whoever_leaves_lets_the_others_move_up() -> None:
    line = Line()
    with line.place() as first, ExitStack() as stack:
        second = stack.enter_context(line.place())
        with line.place() as third:
            assert line.count_ahead(third) == 2
            stack.close()
            assert line.count_ahead(third) == 1
            assert line.count_ahead(first) == 0
    assert second is not third


def test_a_place_is_given_up_when_its_making_fails() -> None:
    line = Line()
    try:
        with line.place():
            raise RuntimeError
    except RuntimeError:
        pass
    with line.place() as next_place:
        assert line.count_ahead(next_place) == 0


def test_whoever_waits_is_woken_when_the_line_moves() -> None:
    line, served = Line(), threading.Event()

    def visitor() -> None:
        with line.place() as place:
            standing.set()
            while line.count_ahead(place):
                line.wait(place)
            served.set()

    standing = threading.Event()
    with line.place() as first:
        assert line.count_ahead(first) == 0
        thread = threading.Thread(target=visitor)
        thread.start()
        assert standing.wait(60)
        assert not served.is_set()
    thread.join(60)
    assert served.is_set()


@given(st.lists(st.booleans(), max_size=40))
def test_places_are_always_numbered_from_nought_without_gaps(moves: list[bool]) -> None:
    line, standing = Line(), []
    for come in moves:
        if come or not standing:
            context = line.place()
            standing.append((context, context.__enter__()))
        else:
            context, _ = standing.pop(len(standing) // 2)
            context.__exit__(None, None, None)
        assert [line.count_ahead(place) for _, place in standing] == list(range(len(standing)))
