"""A writer as a process of its own, which takes change numbers the right way or the wrong one.

    python numbering.py URL right|sequence NUMBER COUNT

puts, changes and removes objects of the collection ``anna/work`` that nobody else touches.
Between the number and the commit it dawdles, as a busy machine does.  ``sequence`` takes
its numbers from a sequence of PostgreSQL's without locking the collection, which is how
they are not to be taken.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "contract"))

from store_samples import event

from tagwerk.model import CollectionId, Modseq
from tagwerk.store import Transaction, objects, open_engine
from tagwerk.store.collections import find_binding, lock_collection, next_modseq
from tagwerk.store.engine import run

SEQUENCE = "wrong_numbers"
DAWDLE = 0.01


def right(txn: Transaction, collection: CollectionId, **counted: Any) -> Modseq:
    number = next_modseq(txn, collection, **counted)
    time.sleep(random.random() * DAWDLE)
    return number


def from_a_sequence(txn: Transaction, collection: CollectionId, **counted: Any) -> Modseq:
    row = txn.row(f"SELECT nextval('{SEQUENCE}')")
    assert row is not None
    time.sleep(random.random() * DAWDLE)
    return Modseq(row[0])


def write_many(url: str, how: str, number: int, count: int) -> None:
    objects.next_modseq = right if how == "right" else from_a_sequence
    engine = open_engine(url)
    chosen = random.Random(number)

    def change(txn: Transaction) -> None:
        binding = find_binding(txn, "anna", "work")
        assert binding is not None
        place = binding.collection.id
        if how == "right":
            lock_collection(txn, place)
        name = f"w{number}-{chosen.randrange(count // 3)}.ics"
        now = int(time.time())
        if objects.find_object(txn, place, name) is not None and chosen.random() < 0.3:
            objects.remove_object(txn, place, name, now=now)
        else:
            upload = event(name, summary=str(chosen.random()))
            objects.put_object(txn, place, name, upload=upload, now=now)

    for _ in range(count):
        run(engine, change)
    engine.close()


if __name__ == "__main__":
    write_many(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
