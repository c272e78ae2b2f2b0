"""Tool calls: what one request's tools mean for prompt, grammar, and reading the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyinfer.text.chat_template import ChatTemplate
from pyinfer.text.grammar import Grammar
from pyinfer.text.tags import (
    CALL_END,
    CALL_TAGS,
    CALLS_END,
    RESULT_TAGS,
    TAG_BEGIN,
    TAG_END,
)
from pyinfer.text.tokenizer import Tokenizer
from pyinfer.text.tool_grammar import tool_grammar
from pyinfer.text.tool_parser import ToolCallParser
from pyinfer.text.tool_prompt import (
    Form,
    Tool,
    add_to_system,
    describe_tools,
    fold_calls,
    read_tools,
    tool_error,
)


@dataclass(frozen=True, slots=True)
class ToolPlan:
    """What to do about the tools of one request; made by :func:`plan_tools`.

    Attributes
    ----------
    tools : tuple of Tool
        The ones that may be called; not empty.
    form : "markers" or "tags"
        How calls are written.
    described_by_template : bool
        The chat template writes the tools into the prompt itself.
    required : bool
        The answer has to call.
    parallel : bool
        It may call more than once.
    token_names : frozenset of str
        Tool markers that are single tokens.
    """

    tools: tuple[Tool, ...]
    form: Form
    described_by_template: bool
    required: bool
    parallel: bool
    token_names: frozenset[str]

    def messages(self, messages: Iterable[Any]) -> list[Any]:
        """The conversation to render, with the tools described where the template does not."""
        if self.described_by_template:
            return list(messages)
        text = describe_tools(self.tools, self.form, self.required, self.parallel)
        return add_to_system(fold_calls(messages, self.form), text)

    @property
    def template_tools(self) -> list[dict[str, Any]] | None:
        """What to give to the template."""
        if not self.described_by_template:
            return None
        return [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in self.tools
        ]

    def grammar(self, wanted: Grammar | None) -> Grammar | None:
        """The grammar to enforce: calls where required, else what the request wants or calls.

        Parameters
        ----------
        wanted : Grammar or None
            The request's own.

        Raises
        ------
        RequestError
            The request's own is not about JSON, so the two cannot be joined.
        """
        if not self.required and wanted is None:
            return None
        otherwise = None if self.required else wanted
        return tool_grammar(self.tools, self.form, self.parallel, self.token_names, otherwise)

    @property
    def extra_stops(self) -> tuple[str, ...]:
        """Texts behind which nothing of use can come (see ``Rules.extra_stops``)."""
        ends: tuple[str, ...] = (CALLS_END,)
        if not self.parallel:
            ends += (CALL_END, TAG_END)
        return ends + RESULT_TAGS

    def parser(self) -> ToolCallParser:
        """A reader of one answer's content."""
        names = [tool.name for tool in self.tools]
        return ToolCallParser(
            names, parallel=self.parallel, enforced=self.required, tokens=self.token_names
        )


def plan_tools(
    tools: Sequence[Mapping[str, Any]] | None,
    choice: str,
    parallel: bool,
    template: ChatTemplate,
    tokenizer: Tokenizer,
) -> ToolPlan | None:
    """Check a request's tools and decide what to do about them; None if there are none to call.

    Parameters
    ----------
    tools : sequence of mappings, optional
        ``{"type": "function", "function": {"name", "description", "parameters"}}``.
    choice : str
        ``none``, ``auto``, ``required`` or ``function:<name>``.
    parallel : bool
        More than one call is allowed.
    template : ChatTemplate
    tokenizer : Tokenizer

    Raises
    ------
    RequestError
        A tool is malformed, or the choice asks for one that is not there.
    """
    known = read_tools(tools or ())
    required = choice not in ("none", "auto")
    if required and not known:
        raise tool_error("tool_choice", "asks for a call, but the request has no tools")
    if choice.startswith("function:"):
        name = choice.removeprefix("function:")
        known = [tool for tool in known if tool.name == name]
        parallel = False
        if not known:
            raise tool_error("tool_choice", f"names the function {name[:64]!r}, which is no tool")
    elif choice not in ("none", "auto", "required"):
        raise tool_error("tool_choice", f"must be none, auto, required or a function: {choice!r}")
    if choice == "none" or not known:
        return None
    return ToolPlan(
        tools=tuple(known),
        form=_form(template),
        described_by_template=template.describes_tools,
        required=required,
        parallel=parallel,
        token_names=CALL_TAGS & tokenizer.tags.keys(),
    )


def _form(template: ChatTemplate) -> Form:
    """The form that the model knows from its template."""
    return "tags" if TAG_BEGIN in template.source else "markers"
