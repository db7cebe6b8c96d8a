"""The wait that most integration tests rest on: what counts as not yet, and what is told at the deadline."""

from __future__ import annotations

import pytest

from tests.support.ports import free_port
from tests.support.wait import wait_until


def test_the_first_truthy_value_is_what_comes_back() -> None:
    tries = iter([None, 0, "", "here"])
    assert wait_until(lambda: next(tries), timeout=5, step=0) == "here"


def test_an_assertion_is_not_yet_and_is_told_at_the_deadline() -> None:
    def holds() -> bool:
        assert 1 == 2, "one is not two"
        return True

    with pytest.raises(AssertionError, match=r"they are equal\. The last try raised .*one is not two") as late:
        wait_until(holds, timeout=0, message="they are equal")
    assert isinstance(late.value.__cause__, AssertionError)


def test_the_last_value_is_told_at_the_deadline() -> None:
    with pytest.raises(AssertionError, match=r"something comes\. The last try gave \[\]"):
        wait_until(list, timeout=0, message="something comes")


@pytest.mark.parametrize(
    "mistake", [lambda: undefined, lambda: (lambda: 1)(2), lambda: "text".missing]  # noqa: F821
)  # fmt: skip
def test_a_mistake_of_the_test_is_raised_at_once(mistake) -> None:
    with pytest.raises((NameError, TypeError, AttributeError)):
        wait_until(mistake, timeout=60)


def test_what_is_none_for_a_while_is_waited_for() -> None:
    answers = iter([None, {"measured": 1}])
    assert wait_until(lambda: next(answers)["measured"], timeout=5, step=0) == 1


def test_ports_differ_and_are_not_those_of_outgoing_connections() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert all(20_000 <= port < 32_000 for port in ports)
