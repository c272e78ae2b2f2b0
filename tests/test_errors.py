"""The error table: codes, statuses, exit codes, one-line messages, pickling."""

from __future__ import annotations

import copy
import pickle

import pytest

from pyinfer import errors
from pyinfer.errors import PyinferError

TABLE = [
    ("UsageError", "usage", 400, 2),
    ("RequestError", "invalid_request", 400, 3),
    ("ContextLengthError", "context_length_exceeded", 400, 3),
    ("ModelFormatError", "model_corrupt", 500, 4),
    ("ModelUnsupportedError", "model_unsupported", 400, 4),
    ("ModelNotFoundError", "model_not_found", 404, 5),
    ("InvalidNameError", "invalid_name", 400, 5),
    ("AuthError", "unauthorized", 401, 1),
    ("ForbiddenOriginError", "forbidden_origin", 403, 1),
    ("RequestTimeout", "request_timeout", 408, 1),
    ("PayloadTooLarge", "payload_too_large", 413, 1),
    ("HeadersTooLarge", "headers_too_large", 431, 1),
    ("QueueFullError", "queue_full", 503, 6),
    ("UnavailableError", "unavailable", 503, 6),
    ("NotServedError", "not_supported", 501, 1),
    ("InsufficientMemoryError", "insufficient_memory", 503, 6),
    ("RegistryError", "registry_error", 502, 7),
    ("DigestMismatchError", "digest_mismatch", 502, 7),
    ("RegistryTimeout", "registry_timeout", 504, 7),
    ("StoreFullError", "store_full", 507, 8),
    ("StoreIOError", "store_io", 500, 8),
    ("StoreBusyError", "store_busy", 409, 8),
    ("NumericError", "numeric_failure", 500, 9),
    ("EngineError", "engine_failure", 500, 9),
    ("EngineLostError", "engine_lost", 503, 9),
    ("UnsupportedCPUError", "unsupported_cpu", 500, 10),
    ("CancelledError", "cancelled", 499, 130),
    ("PyinferError", "internal_error", 500, 1),
]


def test_table_lists_every_class() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, PyinferError)
    }
    assert defined == {row[0] for row in TABLE}
    assert len({row[1] for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize(("name", "code", "status", "exit_code"), TABLE)
def test_constants_and_pickle(name: str, code: str, status: int, exit_code: int) -> None:
    cls = getattr(errors, name)
    assert (cls.code, cls.http_status, cls.exit_code) == (code, status, exit_code)
    error = cls("what happened", hint="what to do")
    error.extra = 7
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is cls
        assert str(again) == str(error) == "what happened. what to do"
        assert (again.message, again.hint, again.extra) == ("what happened", "what to do", 7)


def test_message_alone() -> None:
    assert str(PyinferError("no hint here.")) == "no hint here."
    assert str(PyinferError("ends with a stop.", hint="do this")) == "ends with a stop. do this"


def test_message_is_one_printable_line() -> None:
    text = str(PyinferError("two\nlines\x1b[2J and \u202e bidi", hint="a\r\nb\x00"))
    assert text == "two lines\\x1b[2J and \\u202e bidi. a b\\x00"
    assert text.isprintable()


def test_request_errors_are_value_errors() -> None:
    with pytest.raises(ValueError, match="temperature"):
        raise errors.RequestError("temperature must be finite")
