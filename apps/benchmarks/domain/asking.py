"""A load that the server is asked to send to a pool: the body of POST …/loads, its bounds, the requests it means."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from apps.benchmarks.domain.workloads import PlannedRequest, SharedPrefixes, asked, poisson, varying
from apps.core.domain.documents import Spec
from apps.core.domain.units import Duration, format_duration

__all__ = ["MOST_INFLIGHT", "MOST_REQUESTS", "SHAPES", "LoadBody"]

MOST_RATE = 50
MOST_USERS = 100
MOST_REQUESTS = 20_000
# requests due while so many are unanswered are not sent
MOST_INFLIGHT = 256
MOST_PROMPT = 32_768
MOST_ANSWER = 4_096
_SHORTEST, _LONGEST = timedelta(seconds=5), timedelta(minutes=30)
_LEAST_DEADLINE, _MOST_DEADLINE = timedelta(seconds=1), timedelta(minutes=5)
_DEFAULT_RATE = 2.0

SHAPES = {
    "chat": SharedPrefixes(groups=8, prefix_tokens=1024, question_tokens=128, output_tokens=128),
    "questions": SharedPrefixes(groups=0, prefix_tokens=0, question_tokens=256, output_tokens=128),
    "documents": SharedPrefixes(groups=32, prefix_tokens=4096, question_tokens=64, output_tokens=48),
}
"""chat: eight system prompts, each question is new; questions: nothing is shared; documents: long texts that are asked
about again and again, answered shortly."""


class LoadBody(Spec):
    """What may be asked; {} is two chat requests a second for a minute.

    `rate`: requests/s on average, at moments that do not wait for answers; or `users`, each of whom waits for the
    answer and then for `pause`. `pattern`: how the rate goes over the time. `prompt_tokens`, `output_tokens`: in place
    of the shape's own. `deadline`: of one request. `seed`: the same one sends the same prompts; left out, prompts are
    new.
    """

    label: Annotated[str, StringConstraints(max_length=200)] = ""
    rate: Annotated[float, Field(gt=0, le=MOST_RATE)] | None = None
    users: Annotated[int, Field(ge=1, le=MOST_USERS)] | None = None
    pause: Duration = timedelta(0)
    pattern: Literal["steady", "ramp", "burst"] = "steady"
    duration: Duration = timedelta(minutes=1)
    shape: Literal["chat", "questions", "documents"] = "chat"
    prompt_tokens: Annotated[int, Field(ge=1, le=MOST_PROMPT)] | None = None
    output_tokens: Annotated[int, Field(ge=1, le=MOST_ANSWER)] | None = None
    deadline: Duration = timedelta(minutes=2)
    seed: Annotated[int, Field(ge=0, le=2**31)] | None = None

    @field_validator("duration")
    @classmethod
    def _bounded(cls, value: timedelta) -> timedelta:
        if not _SHORTEST <= value <= _LONGEST:
            raise ValueError(f"a load lasts from 5s to 30m, not {format_duration(value)}")
        return value

    @field_validator("deadline")
    @classmethod
    def _waits(cls, value: timedelta) -> timedelta:
        if not _LEAST_DEADLINE <= value <= _MOST_DEADLINE:
            raise ValueError(f"a request's deadline is from 1s to 5m, not {format_duration(value)}")
        return value

    @field_validator("pause")
    @classmethod
    def _pauses(cls, value: timedelta) -> timedelta:
        if not timedelta(0) <= value <= timedelta(minutes=5):
            raise ValueError(f"users pause for at most 5m, not {format_duration(value)}")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.rate is not None and self.users is not None:
            raise ValueError("a load has a rate or users, not both: users wait for their answers, a rate does not")
        if self.users is not None and self.pattern != "steady":
            raise ValueError(f"pattern {self.pattern} is of a rate; users come steadily: leave one of both out")
        if self.users is None and self.pause:
            raise ValueError("pause is between a user's answer and its next question: say how many users")
        if self.users is None and self.most > MOST_REQUESTS:
            raise ValueError(
                f"{self.per_second:g} requests/s over {format_duration(self.duration)} are up to {self.most:.0f} "
                f"requests, and one load sends at most {MOST_REQUESTS}: shorten it or lower the rate"
            )
        return self

    @property
    def per_second(self) -> float:
        """Requests/s at the height of the pattern; of a load by rate."""
        return _DEFAULT_RATE if self.rate is None else self.rate

    @property
    def seconds(self) -> float:
        return self.duration.total_seconds()

    @property
    def most(self) -> float:
        """Requests that a rate can mean."""
        return self.per_second * self.seconds

    @property
    def prefixes(self) -> SharedPrefixes:
        """The shape with the lengths that were asked for: of a prompt the end is the question, the rest is shared."""
        shape = SHAPES[self.shape]
        prefix, question = shape.prefix_tokens, shape.question_tokens
        if self.prompt_tokens is not None:
            question = self.prompt_tokens if not shape.groups else min(question, self.prompt_tokens)
            prefix = self.prompt_tokens - question
        return SharedPrefixes(
            groups=shape.groups,
            users=shape.users,
            prefix_tokens=prefix,
            question_tokens=question,
            output_tokens=self.output_tokens or shape.output_tokens,
        )

    @property
    def sentence(self) -> str:
        """What is sent: "14 requests/s (chat) for 2m, prompts of 1152 tokens, answers of 128"."""
        shape = self.prefixes
        if self.users is not None:
            pause = f" who pause {format_duration(self.pause)}" if self.pause else ""
            who = f"{self.users} {'user' if self.users == 1 else 'users'} ({self.shape}){pause}"
        else:
            pattern = "" if self.pattern == "steady" else f" as a {self.pattern}"
            who = f"{self.per_second:g} requests/s ({self.shape}){pattern}"
        prompt = shape.prefix_tokens + shape.question_tokens
        lasting = format_duration(self.duration)
        return f"{who} for {lasting}, prompts of {prompt} tokens, answers of {shape.output_tokens}"

    def requests(self, seed: int) -> Iterator[PlannedRequest]:
        """By rate: what is to be sent when. By users: what to ask next, all at 0 s. At most MOST_REQUESTS."""
        prompts = asked(self.prefixes, seed)
        moments = islice(self._arrivals(seed), MOST_REQUESTS)
        answer = self.prefixes.output_tokens
        return (PlannedRequest(at, prompt, answer) for at, prompt in zip(moments, prompts, strict=False))

    def _arrivals(self, seed: int) -> Iterator[float]:
        if self.users is not None:
            return iter([0.0] * MOST_REQUESTS)
        rate, end = self.per_second, self.seconds
        if self.pattern == "ramp":
            return varying([(0.0, rate / 10), (end * 2 / 3, rate), (end, rate)], seed)
        if self.pattern == "burst":
            low, begins, ends = rate / 4, end * 0.4, end * 0.7
            steps = [(0.0, low), (begins, low), (begins + 0.01, rate), (ends, rate), (ends + 0.01, low), (end, low)]
            return varying(steps, seed)
        return poisson(rate, end, seed)
