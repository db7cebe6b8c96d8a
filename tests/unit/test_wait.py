"""The wait that most integration tests rest on: what counts as not yet, and what is told at the deadline."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.prometheus import prometheus_binary
from tests.support.shared import ROOT
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


def test_a_killed_user_of_prometheus_leaves_none(tmp_path: Path) -> None:
    """As when a benchmark is killed."""
    prometheus_binary()
    code = (
        "import sys, time; from pathlib import Path; from tests.support.prometheus import run_prometheus\n"
        "with run_prometheus(Path(sys.argv[1]), []) as running: print(running.process.pid, flush=True); time.sleep(600)"
    )
    user = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert user.stdout is not None
    pid = int(user.stdout.readline())
    user.kill()
    user.wait(60)
    user.stdout.close()
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), message="its Prometheus is gone with it")


def test_ports_differ_and_are_not_those_of_outgoing_connections() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert all(20_000 <= port < 32_000 for port in ports)
