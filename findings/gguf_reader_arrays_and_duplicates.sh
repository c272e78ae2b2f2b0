#!/usr/bin/env bash
# Guess: the gguf package either keeps the nesting of an array of arrays (GGUF allows it) or refuses it;
#   and a key that occurs twice gives a warning and the first or last value.
# What happens: GGUFReader 0.19.0 flattens nested arrays without a word: [[1, 2], [3, 4, 5]] is read as
#   [1, 2, 3, 4, 5], its element type is reported as [ARRAY, ARRAY, UINT32], and the inner lengths are gone.
#   A duplicate key raises a bare KeyError from the middle of the reader.
# Versions: gguf 0.19.0. Date: 2026-12-01.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gguf==0.19.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import struct
from importlib.metadata import version
from pathlib import Path

import gguf

print("gguf", version("gguf"))
STRING, ARRAY, UINT32 = 8, 9, 4


def string(text):
    return struct.pack("<Q", len(text)) + text.encode()


def text_pair(key, value):
    return string(key) + struct.pack("<I", STRING) + string(value)


def write(pairs):
    path = Path("x.gguf")
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs))
    path.write_bytes(head + b"".join(pairs) + bytes(64))
    return path


inner = b"".join(struct.pack("<IQ", UINT32, len(v)) + struct.pack(f"<{len(v)}I", *v)
                 for v in ([1, 2], [3, 4, 5]))
nested = string("a.nested") + struct.pack("<IIQ", ARRAY, ARRAY, 2) + inner
field = gguf.GGUFReader(write([text_pair("general.architecture", "x"), nested])).fields["a.nested"]
print("written [[1, 2], [3, 4, 5]], read", field.contents(), [t.name for t in field.types])
assert field.contents() == [1, 2, 3, 4, 5]

twice = write([text_pair("general.architecture", "x"), text_pair("a.b", "1"), text_pair("a.b", "2")])
try:
    gguf.GGUFReader(twice)
except KeyError as error:
    print("a key that occurs twice: KeyError:", error)
else:
    raise SystemExit("duplicate keys are read now")
PYTHON
