"""Messages cross process borders."""

from __future__ import annotations

import pickle

from pyinfer.engine.messages import (
    Cancel,
    Failed,
)
from pyinfer.errors import (
    NumericError,
)

from .driver import make_engine, run
from .fake_model import (
    FakeModel,
    make_request,
)


def test_messages_survive_pickling() -> None:
    events = run(make_engine(FakeModel()), [make_request(0, [1], max_tokens=3, logprobs=1)])[0]
    assert [repr(e) for e in pickle.loads(pickle.dumps(events))] == [repr(e) for e in events]
    failed = pickle.loads(pickle.dumps(Failed(1, NumericError("nan", hint="why"))))
    assert str(failed.error) == "nan. why"
    request = pickle.loads(pickle.dumps(make_request(3, [1, 2], stop=["x"])))
    assert request.tokens.tolist() == [1, 2]
    assert request.params.stop == ("x",)
    assert pickle.loads(pickle.dumps(Cancel(4))) == Cancel(4)
