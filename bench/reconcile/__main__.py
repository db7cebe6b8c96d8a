"""Reconciling many pools: Lamplight, a minimal operator on Kopf, and a bare client, in turns on one server.

`COUNT` pools (default 200; the claim is made at 1000) of four objects each (two Services, Deployment,
PodDisruptionBudget), scaled to zero. Measured: all created; one field changed in all of them; a resync of all, and a
restart of the workers with a drift check of all, with nothing changed. The peer does three objects each. `WORKERS`: how
many worker processes (default: one for each core, as one runs them).

A change is done when it is live and that is written where people look: by us in the pool's status, by Kopf in the
object that was changed (the last of its four requests). When all are live is told beside it (`…_live`). Kopf's handlers
queue for each request anew, so that in a burst all Deployments are live when a third of its work is done.

A machine's speed moves within minutes. So changes are measured `ROUNDS` times (default 5), the three sides after one
another in each round and in another order each time; what is told is the median, and of ratios the median of rounds.

The bare client sends changed applies through eight connections: what that server can take. It does so twice, with
Deployments as Lamplight has applied them (`bare_applies_per_s`: the same fields, and as many labels), and with
Deployments of five lines, which cost the server a third of that (`bare_small_applies_per_s`). The claim is against the
first. All sides are watched alike, by one watch that sees what is live.

The embedded API server answers several times faster than a real one, so that the two cores on which all of this runs
are the limit and not the server. So all three are measured once more, with the server doing no more than a real one
did on two cores of this kind (etcd and audit log on, over eight connections: `REAL_RATES`): `…_as_real`, named beside
the others and part of no claim.

`KUBECONFIG` names a real cluster; without it the embedded API server is started. `KOPF=0` leaves the peer out. Claims:
at least 3 times the changes per second of the operator to either end (the claim does not say which), at least 60 % of
the bare client's applies per second, nothing written when nothing changed, 2,000 keys claimed and finished per second.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack, nullcontext
from pathlib import Path
from statistics import median
from typing import Any

from bench.common import finish
from bench.reconcile import queueing
from bench.reconcile.bare import SMALL, Bare, deployment_of_ours
from bench.reconcile.ours import WORKERS, Ours
from bench.reconcile.peer import KOPF, Kopf
from bench.reconcile.server import COUNT, as_real, client, start

ROUNDS = int(os.environ.get("ROUNDS", "5"))
IMAGE = "vllm/vllm-openai:v0.33."
BARE, SMALL_BARE = "bare_applies_per_s", "bare_small_applies_per_s"
OURS, PEER = "changes_per_s", "kopf_changes_per_s"
Rates = dict[str, list[float]]


def main() -> None:
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lamplight-bench-")))
        base.chmod(0o755)
        os.environ["DJANGO_SETTINGS_MODULE"] = "controlplane.settings.test"
        os.environ["LAMPLIGHT_TEST_DIR"] = str(base / "django")
        os.environ["PGAPPNAME"] = "bench"
        (base / "django").mkdir(mode=0o755)
        from controlplane.supervisor.postgres import PostgresError

        try:
            kubeconfig, cluster = start(stack, base)
        except PostgresError as error:
            sys.exit(str(error))
        figures, rates = _measure(stack, kubeconfig, base, cluster)
        figures["queue_keys_per_s"] = round(queueing.queue(), 1)
        print(f"queue: {figures['queue_keys_per_s']} keys claimed and finished a second", flush=True)
    ratios = _ratios(rates)
    ratios["queue_to_2000"] = round(figures["queue_keys_per_s"] / 2000, 3)
    ok = ratios["changes_to_bare"] >= 0.6 and ratios["queue_to_2000"] >= 1
    ok = ok and all(ratios.get(f"changes_to_kopf{end}", 3.0) >= 3 for end in ("", "_live"))
    ok = ok and figures["resync_writes"] == figures["restart_writes"] == 0
    finish("reconcile", figures=figures, ratios=ratios, peer=f"{KOPF}; a bare client of the same server", ok=ok)


def _measure(stack: ExitStack, kubeconfig: Path, base: Path, cluster: Any | None) -> tuple[dict[str, Any], Rates]:
    figures: dict[str, Any] = {"pools": COUNT, "workers": WORKERS, "rounds": ROUNDS}
    ours = Ours(kubeconfig, base)
    stack.enter_context(ours.running())
    figures |= ours.create(f"{IMAGE}0")
    bare = Bare(kubeconfig, "bare", deployment_of_ours(client(kubeconfig)))
    small = Bare(kubeconfig, "small", SMALL)
    for client_of_none in (bare, small):
        stack.enter_context(client_of_none.there(f"{IMAGE}0"))
    kopf = Kopf(kubeconfig, base) if os.environ.get("KOPF", "1") != "0" else None
    if kopf is not None and kopf.installed():
        stack.enter_context(kopf.running())
        with ours.standing_still():
            figures |= kopf.create(f"{IMAGE}0")
    else:
        kopf = None

    sides: dict[str, Ours | Bare | Kopf] = {OURS: ours, BARE: bare, SMALL_BARE: small}
    if kopf is not None:
        sides[PEER] = kopf

    def change(name: str, number: int, suffix: str = "") -> None:
        with nullcontext() if name == OURS else ours.standing_still():
            done, more = sides[name].change(f"{IMAGE}{number}")
        for end, rate in done.items():
            rates[f"{name}{end}{suffix}"].append(rate)
        figures.update({f"{figure}{suffix}": value for figure, value in more.items()})

    rates: Rates = defaultdict(list)
    for number in range(1, ROUNDS + 1):
        names = list(sides) if number % 2 else list(sides)[::-1]
        for name in names:
            change(name, number)
        print(f"round {number}: " + ", ".join(f"{name} {rates[name][-1]:.1f}" for name in sides), flush=True)
    if cluster is not None:
        with as_real(cluster):
            for name in (OURS, BARE, *([PEER] if kopf is not None else [])):
                change(name, ROUNDS + 1, "_as_real")
    figures |= {name: round(median(found), 1) for name, found in rates.items()}
    figures |= ours.at_rest()
    return figures, rates


def _ratios(rates: Rates) -> dict[str, float]:
    """The median over rounds of what we did against what the other did in the same round."""
    pairs = {
        f"changes_to_{peer}{real}": (f"{OURS}{end}{real}", f"{name}{end}{real}")
        for peer, name, end in (
            ("bare", BARE, ""),
            ("bare_small", SMALL_BARE, ""),
            ("kopf", PEER, ""),
            ("kopf_live", PEER, "_live"),
        )
        for real in ("", "_as_real")
    }
    return {
        ratio: round(median(a / b for a, b in zip(rates[one], rates[other], strict=True)), 3)
        for ratio, (one, other) in pairs.items()
        if one in rates and other in rates
    }


if __name__ == "__main__":
    main()
