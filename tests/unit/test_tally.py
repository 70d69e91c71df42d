"""Numbers that processes share."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tagwerk.http.tally import SHEET_BYTES, Tally


def test_sums_are_over_all_sheets():
    tally = Tally(2)
    one, two = tally.sheet(0), tally.sheet(1)

    one.add("a", ("x",), {0: 1.0}, size=1)
    one.add("b", (), {0: 1.0, 2: 0.5}, size=3)
    two.add("a", ("y",), {0: 2.0}, size=1)
    two.add("b", (), {1: 1.0, 2: 0.25}, size=3)

    assert tally.sums() == {"a": {("x",): [1.0], ("y",): [2.0]}, "b": {(): [1.0, 1.0, 0.75]}}


def test_who_takes_over_a_sheet_goes_on_with_it():
    tally = Tally()
    tally.sheet().add("a", ("é\n\\",), {0: 1.0}, size=1)

    tally.sheet().add("a", ("é\n\\",), {0: 1.0}, size=1)

    assert tally.sums() == {"a": {("é\n\\",): [2.0]}}


def test_a_full_sheet_takes_no_more_and_counts_on():
    tally = Tally()
    sheet = tally.sheet()
    sheet.add("a", (), {0: 1.0}, size=1)

    for number in range(100):
        sheet.add("b", (str(number),), {0: 1.0}, size=SHEET_BYTES // 8 // 50)
    sheet.add("a", (), {0: 1.0}, size=1)

    sums = tally.sums()
    assert sums["a"] == {(): [2.0]}
    assert len(sums["b"]) == 49


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_process_that_is_killed_leaves_what_can_be_read_and_gone_on_with():
    tally = Tally()
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            sheet = tally.sheet()
            number = 0
            while True:
                sheet.add("a", (str(number % 1500),), {0: 1.0, 1: 1.0}, size=2)
                number += 1
        while not tally.sums():
            time.sleep(0.005)
        before = tally.sums()["a"]
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        after = tally.sums()["a"]

        assert all(after[labels][0] >= values[0] for labels, values in before.items())
        assert all(0 <= first - second <= 20 for first, second in after.values())
