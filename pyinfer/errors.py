"""The errors that pyinfer raises for bad input, missing things and failed operations.

Everything derives from :class:`PyinferError`. Each class carries three constants: ``code`` (a
stable word for programs), ``http_status`` (what the server answers) and ``exit_code`` (how the
command line ends). This module imports nothing of the package and stands below everything.
"""

from __future__ import annotations

from typing import ClassVar


def one_line(text: str) -> str:
    r"""Join ``text`` into one printable line.

    Names and keys in messages come from files written by strangers, so control characters (a
    terminal would obey them) are shown as escapes such as ``\x1b``.
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii")
        for c in " ".join(text.split())
    )


class PyinferError(Exception):
    """Base class of all errors of this package.

    Parameters
    ----------
    message : str
        What happened, where, what was expected and what was found. Kept to one line.
    hint : str, optional
        What the reader can do about it.

    Attributes
    ----------
    retry_after : int
        Seconds after which it is worth trying again; 0 if nobody knows.

    Examples
    --------
    >>> str(PyinferError("the disk is full", hint="free 3 GB and try again"))
    'the disk is full. free 3 GB and try again'
    """

    code: ClassVar[str] = "internal_error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    retry_after = 0

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = one_line(message)
        self.hint = one_line(hint)
        super().__init__(self.message, self.hint)

    def __str__(self) -> str:
        if not self.hint:
            return self.message
        return f"{self.message.rstrip('.')}. {self.hint}"

    def __reduce__(self) -> tuple[object, ...]:
        # The default would pass the hint as a second positional argument.
        return _rebuild, (type(self), self.message, self.hint), self.__dict__


def _rebuild(cls: type[PyinferError], message: str, hint: str) -> PyinferError:
    return cls(message, hint=hint)


class UsageError(PyinferError):
    """A wrong command line or a wrong value of an environment variable."""

    code = "usage"
    http_status = 400
    exit_code = 2


class RequestError(PyinferError, ValueError):
    """An invalid parameter of a generation request.

    Attributes
    ----------
    param : str
        Name of the parameter at fault; empty when it is not a single one.
    """

    code = "invalid_request"
    http_status = 400
    exit_code = 3
    param = ""


class ContextLengthError(RequestError):
    """The prompt, or prompt and answer together, do not fit the context.

    Attributes
    ----------
    prompt_tokens, context : int
        Both lengths in tokens; 0 where only the message knows them.
    at_least : bool
        The prompt was not counted to its end: it may have more tokens.
    """

    code = "context_length_exceeded"
    prompt_tokens = 0
    context = 0
    at_least = False

    @classmethod
    def of(cls, tokens: int, context: int, *, room: int, at_least: bool) -> ContextLengthError:
        """An error with both lengths; ``room`` of the context may be the prompt."""
        # The words are those that clients look for to shorten the prompt or to go elsewhere.
        error = cls(
            f"the prompt is too long: it has {'at least ' * at_least}{tokens} tokens and exceeds "
            f"the context window. This model's maximum context length is {context} tokens"
            + ("" if room == context else ", of which one is for the answer"),
            hint="shorten the prompt or load the model with a larger ctx_size",
        )
        error.prompt_tokens, error.context, error.at_least = tokens, context, at_least
        return error


class ModelFormatError(PyinferError):
    """A model file is damaged, incomplete or contradicts itself."""

    code = "model_corrupt"
    http_status = 500
    exit_code = 4


class ModelUnsupportedError(PyinferError):
    """A model file is sound, but asks for something that this package does not run."""

    code = "model_unsupported"
    http_status = 400
    exit_code = 4


class ModelNotFoundError(PyinferError):
    """No model under the given path or name."""

    code = "model_not_found"
    http_status = 404
    exit_code = 5


class InvalidNameError(PyinferError):
    """A model name, digest or file name that is not allowed."""

    code = "invalid_name"
    http_status = 400
    exit_code = 5


class AuthError(PyinferError):
    """A missing or wrong key."""

    code = "unauthorized"
    http_status = 401


class ForbiddenOriginError(PyinferError):
    """A request from a host or origin that is not configured."""

    code = "forbidden_origin"
    http_status = 403


class RequestTimeout(PyinferError):  # noqa: N818  (the name is part of the public error table)
    """The client did not send its request in time."""

    code = "request_timeout"
    http_status = 408


class PayloadTooLarge(PyinferError):  # noqa: N818
    """The request body is over the limit."""

    code = "payload_too_large"
    http_status = 413


class HeadersTooLarge(PyinferError):  # noqa: N818
    """The request headers are over the limit."""

    code = "headers_too_large"
    http_status = 431


class QueueFullError(PyinferError):
    """Too many requests are waiting."""

    code = "queue_full"
    http_status = 503
    exit_code = 6


class UnavailableError(PyinferError):
    """The server is still loading, or is about to end."""

    code = "unavailable"
    http_status = 503
    exit_code = 6


class NotServedError(PyinferError):
    """A route or an action that this server, or its model, does not offer."""

    code = "not_supported"
    http_status = 501


class InsufficientMemoryError(PyinferError):
    """The model or the request needs more memory than is available."""

    code = "insufficient_memory"
    http_status = 503
    exit_code = 6


class RegistryError(PyinferError):
    """A model registry answered wrongly or not at all."""

    code = "registry_error"
    http_status = 502
    exit_code = 7


class DigestMismatchError(RegistryError):
    """Downloaded or stored bytes do not have the digest they should have."""

    code = "digest_mismatch"


class RegistryTimeout(RegistryError):  # noqa: N818
    """A model registry did not answer in time."""

    code = "registry_timeout"
    http_status = 504


class StoreFullError(PyinferError):
    """No space is left where models are kept."""

    code = "store_full"
    http_status = 507
    exit_code = 8


class StoreIOError(PyinferError):
    """Reading or writing a model file failed, or the file changed while in use."""

    code = "store_io"
    http_status = 500
    exit_code = 8


class StoreBusyError(PyinferError):
    """Another process is using the same part of the store."""

    code = "store_busy"
    http_status = 409
    exit_code = 8


class NumericError(PyinferError):
    """A NaN or an infinity appeared in the computation."""

    code = "numeric_failure"
    http_status = 500
    exit_code = 9


class EngineError(PyinferError):
    """The engine failed or is closed."""

    code = "engine_failure"
    http_status = 500
    exit_code = 9


class EngineLostError(EngineError):
    """The engine ended in the middle of requests; a server starts another one."""

    code = "engine_lost"
    http_status = 503


class UnsupportedCPUError(PyinferError):
    """This processor, or the requested instruction set, cannot run the package."""

    code = "unsupported_cpu"
    http_status = 500
    exit_code = 10


class CancelledError(PyinferError):
    """The caller cancelled the operation."""

    code = "cancelled"
    http_status = 499
    exit_code = 130


def internal_error() -> PyinferError:
    """What a client learns about a bug."""
    return PyinferError("internal error", hint="the server's log has the details")
