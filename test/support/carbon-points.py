"""Reads Whisper files, for as long as standard input lasts.

Each line of it is a JSON list: paths of files, and the first and the last second that are wanted. The line that answers
is, per file, null when there is none, or its step in seconds and all its slots from the first to the last second:
[step, slot of the first value, [value or null, ...]].
"""
import json
import sys
import time

import whisper


def read(path, first, last):
    try:
        # Whisper's own `from` is the second before the first slot, and what is to come is not shown without this.
        found = whisper.fetch(path, first - 1, last, now=max(int(time.time()), last))
    except (FileNotFoundError, whisper.CorruptWhisperFile):
        # Carbon makes the file before it writes the header.
        return None
    if found is None:
        return [1, first, []]
    (start, _, step), values = found
    # It always gives one value, even when no slot is in between.
    return [step, start, values[: max(0, (last - start) // step + 1)]]


for line in sys.stdin:
    paths, first, last = json.loads(line)
    print(json.dumps([read(path, first, last) for path in paths]), flush=True)
