"""Whether and how long to reason: one question that clients of many servers ask in many fields."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pyinfer.requests.spec import bad_value
from pyinfer.server.http.body import Body

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Budget = Annotated[int, Field(ge=-1, le=1 << 31)]


class Reasoning(Body):
    """``reasoning``, as OpenRouter and the newer interface of OpenAI have it."""

    effort: Effort | None = None
    enabled: bool | None = None
    max_tokens: Budget | None = None
    exclude: bool | None = None


class Thinking(Body):
    """``thinking``, as DeepSeek and Anthropic have it."""

    type: Literal["enabled", "disabled", "adaptive", "auto"] | None = None
    budget_tokens: Budget | None = None


class ThinkingBody(Body):
    """The fields of a chat request about reasoning."""

    reasoning_effort: Effort | None = None
    reasoning_format: Literal["auto", "deepseek", "parsed", "none", "hidden"] | None = None
    include_reasoning: bool | None = None
    separate_reasoning: bool | None = None
    thinking_token_budget: Budget | None = None
    thinking_budget_tokens: Budget | None = None
    thinking_budget: Budget | None = None
    reasoning_budget: Budget | None = None
    enable_thinking: bool | None = None
    think: bool | Effort | None = None
    thinking: bool | Thinking | None = None
    reasoning: bool | Reasoning | None = None
    chat_template_kwargs: dict[str, Any] | None = None

    @property
    def shows_reasoning(self) -> bool:
        """Whether the reasoning is part of the answer."""
        excluded = isinstance(self.reasoning, Reasoning) and self.reasoning.exclude
        hidden = self.include_reasoning is False or self.reasoning_format == "hidden"
        return not (hidden or excluded)

    @property
    def splits_reasoning(self) -> bool:
        """Whether the reasoning is kept out of the content."""
        return self.reasoning_format != "none" and self.separate_reasoning is not False

    def budget(self) -> int | None:
        """Most reasoning tokens; None where nothing is said, negative for no limit."""
        inner = (
            self.reasoning.max_tokens if isinstance(self.reasoning, Reasoning) else None,
            self.thinking.budget_tokens if isinstance(self.thinking, Thinking) else None,
        )
        given = (
            self.thinking_token_budget,
            self.thinking_budget_tokens,
            self.thinking_budget,
            self.reasoning_budget,
            *inner,
        )
        return next((number for number in given if number is not None), None)

    def wanted(self) -> tuple[bool | None, dict[str, bool]]:
        """Whether to reason, and the other switches for the template.

        Models of this family have no levels, so any effort leaves it to the model. One field that
        says no is enough.

        Raises
        ------
        RequestError
            ``chat_template_kwargs`` holds something else than switches.
        """
        switches = self._switches()
        said = [
            switches.pop("thinking", None),
            switches.pop("enable_thinking", None),
            self.enable_thinking,
            _effort(self.reasoning_effort),
            self.think if isinstance(self.think, bool) else _effort(self.think),
        ]
        if isinstance(self.thinking, Thinking):
            said.append({"enabled": True, "disabled": False}.get(self.thinking.type or ""))
        else:
            said.append(self.thinking)
        if isinstance(self.reasoning, Reasoning):
            said += [self.reasoning.enabled, _effort(self.reasoning.effort)]
        else:
            said.append(self.reasoning)
        if self.budget() == 0 or False in said:
            return False, switches
        return True if True in said else None, switches

    def _switches(self) -> dict[str, bool]:
        switches: dict[str, bool] = {}
        for name, value in (self.chat_template_kwargs or {}).items():
            if not name.isidentifier() or not isinstance(value, bool):
                raise bad_value(
                    f"chat_template_kwargs.{name[:40]}",
                    "chat_template_kwargs may hold switches: true or false",
                )
            switches[name] = value
        return switches


def _effort(level: str | None) -> bool | None:
    return False if level == "none" else None
