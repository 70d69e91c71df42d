"""A client that writes: in a thread, or as a process of its own.

    python writing.py URL COLLECTION NUMBER COUNT

puts, changes, deletes and makes again objects that nobody else touches, and prints as JSON
what it left: names and ETags.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from davclient import Dav
from davsamples import event


def write_many(url: str, place: str, number: int, count: int) -> dict[str, str]:
    """Make `count` writes into the collection at `place`; return name to ETag of what is left."""
    client = Dav(url)
    rng = random.Random(number)
    left: dict[str, str] = {}
    for turn in range(count):
        name = f"w{number}-{rng.randrange(count // 2)}.ics"
        if name in left and rng.random() < 0.3:
            answer = client.delete(place + name, If_Match=left.pop(name))
            assert answer.status == 204, answer
            continue
        body = event(f"uid-{name}", summary=f"Turn {turn}")
        condition = {"If-Match": left[name]} if name in left else {"If-None-Match": "*"}
        answer = client.put(place + name, body, **condition)
        assert answer.status in (201, 204), answer
        assert answer.etag is not None
        left[name] = answer.etag
    client.close()
    return left


if __name__ == "__main__":
    json.dump(write_many(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])), sys.stdout)
