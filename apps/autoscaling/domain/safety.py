"""What may never happen, whatever the model says; each rule that changes the result leaves a clamp."""

from __future__ import annotations

import math

from apps.autoscaling.domain.draft import Draft, Plain
from apps.autoscaling.domain.moves import Moves
from apps.autoscaling.domain.schedules import bounds_at, frozen_at

__all__ = ["Guard"]

# noise may lower a minute's load by so much that no replica goes
_LESS = 0.85


class Guard:
    """The rules in their order: the later one wins, and the declared bounds win over all."""

    def __init__(self, pool: Draft, plain: Plain, moves: Moves, index: int) -> None:
        self.pool, self.plain = pool, plain
        self.load, self.reversals, self.up_load = moves.load[index], moves.reversals[index], moves.up_load[index]
        self.flat = plain.flat[index]
        self.known = not math.isnan(plain.arrived[index])

    def apply(self) -> None:
        pool = self.pool
        if pool.target != pool.before:
            self._flapping()
            self._unknown()
            self._rollout()
            self._pending()
        self._schedules()
        if pool.target != pool.before:
            self._rate()
        self._freeze()
        if pool.target != pool.before:
            self._inventory()
        self._budget()
        self._bounds()

    def _set(self, rule: str, target: list[int], reason: str) -> None:
        pool = self.pool
        for variant, before, after in zip(pool.policy.variants, pool.target, target, strict=True):
            pool.clamp(rule, variant.name, before, after, reason)
        if target != pool.target:
            pool.target = target
            pool.binding = rule

    def _no_lower(self) -> list[int]:
        return [max(t, b) for t, b in zip(self.pool.target, self.pool.before, strict=True)]

    def _flapping(self) -> None:
        """What was just added does not go for a little less load: for less than a replica's share of what it was added
        for, and the more so the more often replicas went up and down before; nor for a calm of a flat load."""
        pool = self.pool
        window = pool.policy.limits.reversal
        up_at = pool.get("up_at")
        if up_at < 0 or pool.now - up_at > window + pool.policy.tick or pool.verb != "hold":
            return
        standing, wanted = sum(pool.before), sum(pool.target)
        less = min(1 - 1 / max(standing, 2), _LESS) ** (1 + self.reversals)
        if wanted < standing and (self.flat or self.load > less * self.up_load):
            self._set("flap", self._no_lower(), f"replicas were added {pool.now - up_at:.0f} s ago: they stay a while")

    def _unknown(self) -> None:
        pool = self.pool
        if self.known or pool.verb in ("from-zero", "wake"):
            return
        known_at = pool.get("known_at")
        age = pool.now - known_at if known_at >= 0 else math.inf
        if age > pool.policy.limits.stale * pool.policy.tick:
            since = "ever" if math.isinf(age) else f"for {age:.0f} s"
            self._set("stale", list(pool.before), f"arrivals have not been known {since}: nothing moves")
            pool.verb = "frozen"
        else:
            self._set("unknown", self._no_lower(), "arrivals are not known in this tick: nothing is lowered")

    def _rollout(self) -> None:
        if self.pool.signals.rollout:
            self._set("rollout", self._no_lower(), "a change of the engines is being rolled out: nothing is lowered")

    def _pending(self) -> None:
        """Replicas that cannot start are not helped by more of them."""
        pool, target = self.pool, list(self.pool.target)
        if not any(seen.replicas.pending for seen in pool.signals.variants):
            return
        named = {seen.name: seen for seen in pool.signals.variants}
        for row, variant in enumerate(pool.policy.variants):
            seen = named.get(variant.name)
            stuck = next((p.stuck for p in seen.replicas.pending if p.stuck), "") if seen else ""
            if stuck and target[row] > pool.before[row]:
                pool.clamp("pending", variant.name, target[row], pool.before[row], f"replicas wait already: {stuck}")
                target[row] = pool.before[row]
                pool.binding = "pending"
        pool.target = target

    def _schedules(self) -> None:
        pool = self.pool
        if not pool.policy.schedules:
            return
        force = bounds_at(pool.policy.schedules, pool.now)
        total = sum(pool.target)
        if force.floor is not None and total < force.floor:
            self._set("schedule", self._raised(force.floor - total), f"schedule {force.floor_by} keeps {force.floor}")
        elif force.ceiling is not None and total > force.ceiling:
            lowered = self._lowered(total - force.ceiling)
            self._set("schedule", lowered, f"schedule {force.ceiling_by} allows {force.ceiling}")

    def _raised(self, by: int) -> list[int]:
        pool, target = self.pool, list(self.pool.target)
        order = sorted(range(len(target)), key=self._price_of_load)
        for row in order:
            step = min(by, max(0, pool.policy.variants[row].maximum - target[row]))
            target[row] += step
            by -= step
        return target

    def _lowered(self, by: int, least: list[int] | None = None) -> list[int]:
        pool, target = self.pool, list(self.pool.target)
        floors = least or [variant.minimum for variant in pool.policy.variants]
        for row in sorted(range(len(target)), key=self._price_of_load, reverse=True):
            step = min(by, max(0, target[row] - floors[row]))
            target[row] -= step
            by -= step
        return target

    def _price_of_load(self, row: int) -> float:
        pool = self.pool
        return pool.policy.variants[row].price / max(self.plain.carries[pool.first + row], 1e-12)

    def _rate(self) -> None:
        pool, limits = self.pool, self.pool.policy.limits
        standing, wanted = sum(pool.before), sum(pool.target)
        since = pool.get("minute_from")
        if since < 0 or pool.now - since >= 60.0:
            pool.put("minute_from", pool.now)
            pool.put("minute_total", float(standing))
        base = pool.get("minute_total")
        most = max(math.ceil(base * limits.up_per_minute), int(base) + 4)
        least = math.ceil(base * limits.down_per_minute - 1e-9)
        if wanted > most and wanted > standing:
            reason = f"{base:.0f} replicas may become {most} within a minute"
            self._set("rate", self._lowered(wanted - max(most, standing), list(pool.before)), reason)
        elif wanted < least and wanted < standing and pool.verb == "hold":
            reason = f"{base:.0f} replicas may become {least} within a minute"
            target, missing = list(pool.target), min(least, standing) - wanted
            for row in range(len(target)):
                step = min(missing, max(0, pool.before[row] - target[row]))
                target[row] += step
                missing -= step
            self._set("rate", target, reason)

    def _freeze(self) -> None:
        if not self.pool.policy.freezes:
            return
        window = frozen_at(self.pool.policy.freezes, self.pool.now)
        if window is not None:
            self._set("freeze", list(self.pool.before), f"freeze window {window.name}")
            self.pool.asleep = list(self.pool.asleep_before)
            self.pool.verb = "frozen"

    def _inventory(self) -> None:
        pool, target = self.pool, list(self.pool.target)
        for row, variant in enumerate(pool.policy.variants):
            if variant.available is None:
                continue
            most = pool.before[row] + max(variant.available, 0) // max(variant.accelerators, 1)
            if target[row] > most:
                reason = f"{variant.available} accelerators of its kind are free"
                pool.clamp("inventory", variant.name, target[row], most, reason)
                target[row] = most
                pool.binding = "inventory"
        pool.target = target

    def _budget(self) -> None:
        pool, budget = self.pool, self.pool.policy.budget
        if budget is None:
            return
        target = list(pool.target)
        price = [variant.price for variant in pool.policy.variants]
        floors = [variant.minimum for variant in pool.policy.variants]
        asleep = sum(p * a for p, a in zip(price, pool.asleep, strict=True))
        over = sum(p * n for p, n in zip(price, target, strict=True)) + asleep - budget
        for row in sorted(range(len(target)), key=self._price_of_load, reverse=True):
            while over > 1e-9 and target[row] > floors[row] and price[row] > 0:
                target[row] -= 1
                over -= price[row]
        self._set("budget", target, f"the budget is {budget:.2f} {pool.policy.currency}/h")

    def _bounds(self) -> None:
        pool, target = self.pool, self.pool.target
        for row, variant in enumerate(pool.policy.variants):
            count = target[row]
            bounded = min(max(count, variant.minimum), variant.maximum)
            if bounded != count:
                rule = "minimum" if bounded > count else "maximum"
                pool.clamp(rule, variant.name, count, bounded, f"replicas.{rule[:3]} is {bounded}")
                target[row] = bounded
                pool.binding = rule
