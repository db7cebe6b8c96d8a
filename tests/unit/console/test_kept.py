"""What is kept is given out while its mark stands, computed once for all who wait, and forgotten in time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from apps.console.kept import Keeper


def one() -> int:
    return 1


def test_a_value_is_kept_while_its_mark_stands() -> None:
    keeper: Keeper[list[int]] = Keeper()
    made: list[int] = []

    def get(key: str, mark: int, seconds: float = 60.0) -> list[int]:
        return keeper.get(key, lambda: mark, lambda: [made.append(mark), mark][1:], seconds=seconds)

    assert get("a", 1) is get("a", 1)
    assert get("b", 1) == [1] and get("a", 2) == [2]
    assert made == [1, 1, 2]
    # nothing is kept where nothing is to be
    assert get("a", 2, seconds=0) is not get("a", 2, seconds=0)


def test_a_value_is_forgotten_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    keeper: Keeper[object] = Keeper()
    first = keeper.get("a", one, object, seconds=5)
    now[0] = 104.9
    assert keeper.get("a", one, object, seconds=5) is first
    now[0] = 105.0
    assert keeper.get("a", one, object, seconds=5) is not first


def test_those_who_ask_at_once_wait_for_one_computation() -> None:
    keeper: Keeper[object] = Keeper()
    started, go = threading.Event(), threading.Event()
    made: list[object] = []

    def slow() -> object:
        started.set()
        assert go.wait(60)
        made.append(object())
        return made[-1]

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(keeper.get, "a", one, slow, seconds=60.0) for _ in range(8)]
        assert started.wait(60)
        go.set()
        assert {id(done.result(10)) for done in asked} == {id(made[0])}
    assert len(made) == 1


def test_a_computation_that_fails_is_tried_again_and_the_oldest_key_goes_first() -> None:
    keeper: Keeper[int] = Keeper(most=2)
    with pytest.raises(ZeroDivisionError):
        keeper.get("a", one, lambda: 1 // 0, seconds=60)
    assert keeper.get("a", one, lambda: 7, seconds=60) == 7
    keeper.get("b", one, lambda: 0, seconds=60)
    keeper.get("c", one, lambda: 0, seconds=60)
    assert keeper.get("a", one, lambda: 8, seconds=60) == 8
