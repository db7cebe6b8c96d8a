"""The garbage collector is left as it was found."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from apps.core.memory import undisturbed


@pytest.fixture(autouse=True)
def _on() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_no_cycles_are_looked_for_meanwhile() -> None:
    with undisturbed():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_they_are_again_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), undisturbed():
        1 / 0  # noqa: B018
    assert gc.isenabled()


def test_who_had_it_off_keeps_it_off() -> None:
    gc.disable()
    with undisturbed():
        pass
    assert not gc.isenabled()


def test_one_within_another_ends_when_the_outer_does() -> None:
    with undisturbed():
        with undisturbed():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
