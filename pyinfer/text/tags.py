"""Tags: the texts that mark reasoning and tool calls, many of them single tokens.

Where a vocabulary has a tag as one token, that token alone is the tag, whatever its type: the same
characters spelled with ordinary tokens are text. :class:`Tag` carries this difference through
streams of text.
"""

from __future__ import annotations

OPEN_TAG = "<think>"
CLOSE_TAG = "</think>"

# DeepSeek's markers of tool calls and their results, and the tags around JSON.
CALLS_BEGIN, CALLS_END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
CALL_BEGIN, CALL_SEP, CALL_END = "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"
OUTPUTS_BEGIN, OUTPUTS_END = "<｜tool▁outputs▁begin｜>", "<｜tool▁outputs▁end｜>"
OUTPUT_BEGIN, OUTPUT_END = "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>"
TAG_BEGIN, TAG_END = "<tool_call>", "</tool_call>"
RESPONSE_BEGIN, RESPONSE_END = "<tool_response>", "</tool_response>"

#: What a model writes to call tools.
CALL_TAGS = frozenset({CALLS_BEGIN, CALLS_END, CALL_BEGIN, CALL_SEP, CALL_END, TAG_BEGIN, TAG_END})
#: Behind these, a model that goes on would invent the results of its calls.
RESULT_TAGS = (OUTPUTS_BEGIN, OUTPUT_BEGIN, RESPONSE_BEGIN)
ALL_TAGS = frozenset(
    {OPEN_TAG, CLOSE_TAG, *CALL_TAGS, *RESULT_TAGS, OUTPUTS_END, OUTPUT_END, RESPONSE_END}
)


class Tag(str):
    """The text of one token that is a tag; the same text as a plain string is only text."""

    __slots__ = ()
