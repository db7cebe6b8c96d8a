"""What may be asked of a picker about routing. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from apps.core.domain.documents import Spec

__all__ = ["MOST_BYTES", "Explain", "list_query"]

MOST_BYTES = 256 * 1024
_Text = Annotated[str, StringConstraints(max_length=200_000)]
_Name = Annotated[str, StringConstraints(max_length=253, pattern=r"^[^\x00-\x1f]*$")]


class Message(Spec):
    role: Literal["system", "user", "assistant", "tool"]
    content: _Text


class Explain(Spec):
    """A request that is not sent: a prompt or a conversation, and what else routing looks at."""

    prompt: _Text | None = None
    messages: Annotated[list[Message], Field(max_length=256)] | None = None
    model: _Name | None = None
    headers: Annotated[dict[_Name, Annotated[str, StringConstraints(max_length=4096)]], Field(max_length=32)] = {}

    @model_validator(mode="after")
    def _one_of_both(self) -> Explain:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either prompt or messages")
        return self

    def body(self, served_name: str) -> dict[str, Any]:
        """What the picker is asked; `served_name` where no model is named."""
        asked: dict[str, Any] = {"model": self.model or served_name, "headers": dict(self.headers)}
        if self.messages is not None:
            asked["messages"] = [{"role": each.role, "content": each.content} for each in self.messages]
        else:
            asked["prompt"] = self.prompt
        return asked


def list_query(model: str | None, endpoint: str | None, limit: int) -> dict[str, str]:
    """The query of the picker's list."""
    return {"model": (model or "")[:253], "endpoint": (endpoint or "")[:253], "limit": str(limit)}
