"""Recurrence rules: the examples of RFC 5545 3.8.5.3 and RFC 7529, and what rules must not cost."""

from __future__ import annotations

import time
from datetime import datetime
from itertools import islice

import pytest

from tagwerk.ical.rrule import Rule, RunawayRule, UnsupportedRule

_ALL = (datetime.min, datetime.max)


def _days(text: str) -> list[datetime]:
    """``1997: 9/2 9/4; 1998: 1/6`` as days at 9:00."""
    found = []
    for part in text.split(";"):
        year, days = part.split(":")
        for day in days.split():
            month, number = day.split("/")
            found.append(datetime(int(year), int(month), int(number), 9))
    return found


@pytest.mark.parametrize(
    ("start", "rule", "days"),
    [
        ("1997: 9/2", "FREQ=DAILY;INTERVAL=10;COUNT=5", "1997: 9/2 9/12 9/22 10/2 10/12"),
        ("1997: 9/2", "FREQ=WEEKLY;COUNT=10", "1997: 9/2 9/9 9/16 9/23 9/30 10/7 10/14 10/21 10/28 11/4"),
        ("1997: 9/2", "FREQ=WEEKLY;INTERVAL=2;WKST=SU", "1997: 9/2 9/16 9/30 10/14 10/28 11/11 11/25 12/9"),
        ("1997: 9/2", "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", "1997: 9/2 9/4 9/9 9/11 9/16 9/18 9/23 9/25 9/30 10/2"),
        ("1997: 9/1", "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO,WE,FR", "1997: 9/1 9/3 9/5 9/15 9/17 9/19 9/29 10/1 10/3 10/13"),
        ("1997: 9/2", "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "1997: 9/2 9/4 9/16 9/18 9/30 10/2 10/14 10/16"),
        ("1997: 9/5", "FREQ=MONTHLY;COUNT=10;BYDAY=1FR", "1997: 9/5 10/3 11/7 12/5; 1998: 1/2 2/6 3/6 4/3 5/1 6/5"),
        ("1997: 9/7", "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "1997: 9/7 9/28 11/2 11/30; 1998: 1/4 1/25 3/1 3/29 5/3 5/31"),
        ("1997: 9/22", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "1997: 9/22 10/20 11/17 12/22; 1998: 1/19 2/16"),
        ("1997: 9/28", "FREQ=MONTHLY;BYMONTHDAY=-3", "1997: 9/28 10/29 11/28 12/29; 1998: 1/29 2/26"),
        ("1997: 9/2", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", "1997: 9/2 9/15 10/2 10/15 11/2 11/15 12/2 12/15; 1998: 1/2 1/15"),
        ("1997: 9/30", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", "1997: 9/30 10/1 10/31 11/1 11/30 12/1 12/31; 1998: 1/1 1/31 2/1"),
        ("1997: 9/10", "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", "1997: 9/10 9/11 9/12 9/13 9/14 9/15; 1999: 3/10 3/11 3/12 3/13"),
        ("1997: 6/10", "FREQ=YEARLY;COUNT=6;BYMONTH=6,7", "1997: 6/10 7/10; 1998: 6/10 7/10; 1999: 6/10 7/10"),
        ("1997: 3/10", "FREQ=YEARLY;INTERVAL=2;COUNT=7;BYMONTH=1,2,3", "1997: 3/10; 1999: 1/10 2/10 3/10; 2001: 1/10 2/10 3/10"),
        ("1997: 1/1", "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", "1997: 1/1 4/10 7/19; 2000: 1/1 4/9 7/18; 2003: 1/1 4/10 7/19; 2006: 1/1"),
        ("1997: 5/19", "FREQ=YEARLY;BYDAY=20MO", "1997: 5/19; 1998: 5/18; 1999: 5/17"),
        ("1997: 5/12", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997: 5/12; 1998: 5/11; 1999: 5/17"),
        ("1997: 5/12", "FREQ=YEARLY;BYWEEKNO=20", "1997: 5/12; 1998: 5/11; 1999: 5/17"),
        ("1997: 3/13", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "1997: 3/13 3/20 3/27; 1998: 3/5 3/12 3/19 3/26"),
        ("1998: 2/13", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "1998: 2/13 3/13 11/13; 1999: 8/13; 2000: 10/13"),
        ("1997: 9/13", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "1997: 9/13 10/11 11/8 12/13; 1998: 1/10 2/7 3/7"),
        ("1996: 11/5", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "1996: 11/5; 2000: 11/7; 2004: 11/2"),
        ("1997: 9/4", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997: 9/4 10/7 11/6"),
        ("1997: 9/29", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997: 9/29 10/30 11/27 12/30; 1998: 1/29 2/26 3/30"),
        ("1997: 8/5", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997: 8/5 8/10 8/19 8/24"),
        ("1997: 8/5", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997: 8/5 8/17 8/19 8/31"),
        ("2007: 1/15", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "2007: 1/15 1/30 2/15 3/15 3/30"),
        ("2014: 1/31", "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD;COUNT=4", "2014: 1/31 2/28 3/31 4/30"),
        ("2014: 1/31", "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD;COUNT=4", "2014: 1/31 3/1 3/31 5/1"),
        ("2012: 2/29", "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD", "2012: 2/29; 2013: 3/1; 2014: 3/1; 2015: 3/1; 2016: 2/29"),
        ("2026: 1/5", "FREQ=MONTHLY;BYDAY=MO,1TU", "2026: 1/5 1/6 1/12 1/19 1/26 2/2 2/3"),
    ],
)  # fmt: skip
def test_the_examples_of_the_standards_are_right(start: str, rule: str, days: str) -> None:
    expected = _days(days)

    found = list(islice(Rule.parse(rule).between(_days(start)[0], *_ALL), len(expected)))

    assert found == expected


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
        "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
    ],
)
def test_every_twenty_minutes_during_the_day_can_be_said_in_two_ways(rule: str) -> None:
    found = list(islice(Rule.parse(rule).between(datetime(1997, 9, 2, 9), *_ALL), 25))

    assert found[:4] == [datetime(1997, 9, 2, 9, minute) for minute in (0, 20, 40)] + [
        datetime(1997, 9, 2, 10)
    ]
    assert found[23:] == [datetime(1997, 9, 2, 16, 40), datetime(1997, 9, 3, 9)]


@pytest.mark.parametrize(
    "text",
    [
        "freq=weekly;byday=mo, we",
        "BYDAY=MO,WE;FREQ=WEEKLY",
        "FREQ=WEEKLY;;BYDAY=WE,MO,MO;",
        "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=;X-NAME=1",
        "FREQ=WEEKLY\\;BYDAY=MO\\,WE",
        "FREQ=WEEKLY;INTERVAL=0;BYDAY=MO,,WE",
    ],
)
def test_a_rule_is_read_as_programs_write_it(text: str) -> None:
    assert Rule.parse(text) == Rule.parse("FREQ=WEEKLY;BYDAY=MO,WE")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "COUNT=3",
        "FREQ=FORTNIGHTLY",
        "FREQ=DAILY;FREQ=WEEKLY",
        "FREQ=DAILY;COUNT=-1",
        "FREQ=DAILY;INTERVAL=x",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYMONTHDAY=0",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=DAILY;BYDAY=0MO",
        "FREQ=DAILY;BYDAY=54MO",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=DAILY;WKST=1",
        "FREQ=DAILY;WHAT=1",
        "FREQ=DAILY;COUNT",
        "FREQ=DAILY;SKIP=SIDEWAYS",
        "FREQ=DAILY;BYSECOND=" + ",".join("1" * 5000),
    ],
)
def test_what_is_no_rule_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        Rule.parse(text)


def test_another_calendar_is_not_supported() -> None:
    with pytest.raises(UnsupportedRule):
        Rule.parse("RSCALE=CHINESE;FREQ=YEARLY")


def test_dtstart_counts_though_the_rule_does_not_match_it() -> None:
    rule = Rule.parse("FREQ=WEEKLY;BYDAY=MO;COUNT=3")

    found = list(rule.between(datetime(2026, 1, 1), *_ALL))

    assert found == [datetime(2026, 1, 5), datetime(2026, 1, 12)]


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=100000",
        "FREQ=SECONDLY;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
        "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3,10",
        "FREQ=HOURLY;INTERVAL=5;BYDAY=TU",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;INTERVAL=999999999",
    ],
)
def test_a_rule_of_1900_costs_nothing_today(text: str) -> None:
    rule = Rule.parse(text)
    begin = time.process_time()

    for _ in range(10):
        list(rule.between(datetime(1900, 1, 1, 9), datetime(2026, 1, 1), datetime(2026, 1, 8)))

    assert time.process_time() - begin < 0.5


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=31;COUNT=3",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=5",
        "FREQ=DAILY;BYSETPOS=2",
        "FREQ=SECONDLY;BYSETPOS=2",
        "FREQ=DAILY;BYMONTH=1;COUNT=999999999",
    ],
)
def test_a_rule_that_would_run_away_is_stopped(text: str) -> None:
    rule = Rule.parse(text)
    begin = time.process_time()

    with pytest.raises(RunawayRule):
        list(rule.between(datetime(2026, 1, 5, 9), *_ALL))

    assert time.process_time() - begin < 1


def test_rules_reach_both_ends_of_time() -> None:
    weekly = Rule.parse("FREQ=WEEKLY;BYDAY=SU,MO;WKST=SU")

    assert next(weekly.between(datetime(1, 1, 1), *_ALL)) == datetime(1, 1, 1)
    assert list(weekly.between(datetime(1, 1, 1), datetime(9999, 12, 20), datetime.max)) == [
        datetime(9999, 12, 20),
        datetime(9999, 12, 26),
        datetime(9999, 12, 27),
    ]


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("FREQ=DAILY;INTERVAL=2", 0.5),
        ("FREQ=HOURLY", 24),
        ("FREQ=WEEKLY;BYDAY=MO,TU", 2 / 7),
        ("FREQ=SECONDLY", 86_400),
    ],
)
def test_the_density_of_a_rule_is_a_bound(text: str, bound: float) -> None:
    assert Rule.parse(text).density == pytest.approx(bound)


def test_every_weekday_is_the_same_by_day_and_by_week() -> None:
    daily = Rule.parse("FREQ=DAILY;BYDAY=MO,1TU,WE,TH,FR;COUNT=40000;BYHOUR=9")
    weekly = Rule.parse("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;COUNT=40000;BYHOUR=9")

    assert daily == weekly
