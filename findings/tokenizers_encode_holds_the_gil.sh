#!/usr/bin/env bash
# Guess: tokenizers is native code, so encode() of a long text lets other Python threads run, as
#   encode_batch() does; and a batch of one text costs more, not less.
# What happens: Tokenizer.encode holds the interpreter lock for its whole run: a thread that only wants to
#   wake every millisecond stands still until the text is done (seconds for megabytes: a server's health
#   checks and streams stop). encode_batch([text]) lets threads run but for a short moment at its end;
#   encode_batch_fast([text]), which leaves out offsets, blocks nobody and is the fastest of the three.
# Versions: tokenizers 0.23.3. Date: 2026-12-01.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tokenizers==0.23.3
"$folder/venv/bin/python" - <<'PYTHON'
import threading
import time
from importlib.metadata import version

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

print("tokenizers", version("tokenizers"))
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
tokenizer.train_from_iterator(["the quick brown fox jumps over 12 lazy dogs"] * 9,
                              trainers.BpeTrainer(vocab_size=400, show_progress=False))
text = "the quick brown fox jumps over 12 lazy dogs; " * 40_000


def longest_stop(work):
    """Share of the call in which another thread could not run at one go."""
    done, longest = threading.Event(), [0.0]

    def tick():
        last = time.perf_counter()
        while not done.is_set():
            time.sleep(0.001)
            now = time.perf_counter()
            longest[0], last = max(longest[0], now - last), now

    thread = threading.Thread(target=tick)
    thread.start()
    time.sleep(0.05)
    longest[0] = 0.0
    began = time.perf_counter()
    ids = work()
    seconds = time.perf_counter() - began
    done.set()
    thread.join()
    return seconds, longest[0] / seconds, ids


rows = {
    "encode": lambda: tokenizer.encode(text).ids,
    "encode_batch": lambda: tokenizer.encode_batch([text])[0].ids,
    "encode_batch_fast": lambda: tokenizer.encode_batch_fast([text])[0].ids,
}
found = {name: longest_stop(work) for name, work in rows.items()}
for name, (seconds, share, ids) in found.items():
    print(f"{name:18} {seconds:6.2f} s, another thread stood still for {share:4.0%} of it, {len(ids)} tokens")
assert found["encode"][1] > 0.7, "encode lets threads run now"
assert found["encode_batch_fast"][1] < 0.4
assert len({tuple(ids) for _, _, ids in found.values()}) == 1
PYTHON
