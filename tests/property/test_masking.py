"""No word of what is masked is seen, wherever it stands; and everything is when it was."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madeevents import CUSTOM, events
from tagwerk import contentline
from tagwerk.contentline import Component, Line, serialize
from tagwerk.ical import resource
from tagwerk.ical.masking import masked, privacy_of
from tagwerk.model import Facts, Privacy

NOW = 1_767_225_600  # 2026-01-01
SECRET = "Geheim"

FIRST = ("STATUS", "TRANSP")
"""Properties of which the last one counts."""
TIMES = (
    "DTSTART",
    "DTEND",
    "DURATION",
    "RDATE",
    "EXDATE",
    "RRULE",
    "EXRULE",
    "DUE",
    "DTSTAMP",
    "SEQUENCE",
    "FREEBUSY",
)
OTHERS = """
    SUMMARY LOCATION DESCRIPTION ATTENDEE ORGANIZER X-A COMMENT URL CATEGORIES CONTACT RELATED-TO GEO COLOR IMAGE
    CONFERENCE ATTACH REQUEST-STATUS RESOURCES CREATED LAST-MODIFIED COMPLETED PERCENT-COMPLETE PRIORITY BUSYTYPE TZNAME
    TZURL TZID UID METHOD NAME X-WR-CALNAME LINK CONCEPT STYLED-DESCRIPTION STRUCTURED-DATA X-ALT-DESC REFID X-MOZ-LASTACK
    """
LAST = (*OTHERS.split(), *TIMES)
HEADS = (
    "{}",
    "{};X-A=Geheim",
    '{};CN="a:Geheim;b"',
    "Geheim.{}",
    "{};VALUE=Geheim",
    "{};TZID=Geheim",
    "{};FBTYPE=Geheim",
)
VALUES = (
    "Geheim",
    "20260101T100000Z Geheim",
    "20260101,Geheim",
    "PT1HGeheim",
    "FREQ=DAILY;X-A=Geheim",
    "20260101/Geheim",
)
CONTAINERS = (
    "VALARM",
    "PARTICIPANT",
    "VLOCATION",
    "VRESOURCE",
    "X-A",
    "VEVENT",
    "AVAILABLE",
    "STANDARD",
    "VTIMEZONE",
)
PARAMS = (
    "",
    ";X-A=Geheim",
    ';X-A="Geheim:x"',
    ";RANGE=Geheim",
    ";FBTYPE=Geheim",
    ";LANGUAGE=Geheim;X-GEHEIM",
)

some = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def secret_line(draw: st.DrawFn, names: tuple[str, ...]) -> Line:
    name = draw(st.sampled_from(names))
    value = (
        SECRET if name in TIMES else draw(st.sampled_from(VALUES))
    )  # others would be a date or rule indeed
    return Line(draw(st.sampled_from(HEADS)).format(draw(st.sampled_from([name, name.lower()]))), value, 0)


@st.composite
def container(draw: st.DrawFn, depth: int = 2) -> Component:
    made = Component(draw(st.sampled_from(CONTAINERS)), 0)
    made.lines = draw(st.lists(secret_line(LAST), min_size=1, max_size=2))
    made.children = draw(st.lists(container(depth - 1), max_size=1)) if depth else []
    return made


def fill(draw: st.DrawFn, component: Component, *, wild: bool) -> None:
    """Put secrets wherever in the component they do not change when it is.

    With those of `wild` nobody can read its times any more, and it would not be stored.
    """
    for line in component.lines:
        line.head += draw(st.sampled_from(PARAMS)) if "RANGE" not in line.head else ""
        if line.name == "RRULE":
            line.value += draw(st.sampled_from(["", ";X-GEHEIM=GEHEIM", ";"]))
        elif wild and line.name in ("EXDATE", "RDATE"):
            line.value += draw(st.sampled_from(["", ",Geheim", ",Geheim/PT1H"]))
    component.lines[:] = [Line(line.head, line.value, line.index) for line in component.lines]
    component.lines[:0] = draw(st.lists(secret_line(FIRST), max_size=1))
    component.lines += draw(st.lists(secret_line(LAST if wild else tuple(OTHERS.split())), max_size=4))
    component.children += draw(st.lists(container(), max_size=2))


@st.composite
def objects(draw: st.DrawFn, *, wild: bool = False) -> tuple[Component, Component]:
    """An event, and the same full of secrets."""
    content = draw(events()).content.decode()
    plain = contentline.parse(content)[0]
    names = {
        CUSTOM: "Geheim",
        "Europe/Berlin": "/Geheim/Europe/Berlin",
        "W. Europe Standard Time": "/Geheim/Europe/Berlin",
    }
    for name, secret in names.items():
        content = content.replace(name, secret)
    full = contentline.parse(content)[0]
    for child in full.children:
        if child.name == "VTIMEZONE":
            for observance in child.children:
                observance.lines += [Line("TZNAME", "Geheim", 0), Line("COMMENT;X-A=Geheim", "Geheim", 0)]
            child.lines += draw(
                st.lists(secret_line(("X-LIC-LOCATION", "TZURL", "LAST-MODIFIED")), max_size=2)
            )
        else:
            fill(draw, child, wild=wild)
    full.lines += draw(st.lists(secret_line(LAST), max_size=2))
    unknown = Component("X-A", 0)
    unknown.children = draw(st.lists(container(), max_size=1))
    zone = Component("VTIMEZONE", 0)
    zone.lines = [Line("TZID", "Geheim und unbenutzt", 0)]
    full.children += [unknown, zone]
    return plain, full


def known(object_: Component) -> Facts:
    upload = resource.read(serialize(object_).encode(), now=NOW)
    assert upload.repairs == ()
    return upload.facts


def in_time(facts: Facts) -> tuple[object, ...]:
    when = (facts.first, facts.last, facts.spans, facts.spans_from, facts.spans_until)
    return (facts.uid, facts.component, *when, facts.busy, facts.floating)


def says_nothing(object_: Component) -> bool:
    return SECRET.lower() not in serialize(object_).replace("\r\n ", "").lower()


def classify(component: Component, level: Privacy) -> None:
    component.lines.append(Line("CLASS", level.name, 0))


@some
@given(objects(wild=True))
def test_a_busy_object_says_when_it_is_and_nothing_else(both):
    plain, full = both
    before = serialize(full)

    seen = masked(full, everything=True)

    assert serialize(full) == before
    assert seen is not None
    assert says_nothing(seen)
    assert in_time(known(seen)) == in_time(known(plain))


@some
@given(objects(), st.data())
def test_private_parts_are_gone_from_what_is_confidential(both, data):
    plain, full = both
    originals = [child for child in plain.children if child.name == "VEVENT"]
    copies = [child for child in full.children if child.name == "VEVENT"]
    hidden = data.draw(st.sets(st.integers(1, len(copies) - 1))) if len(copies) > 1 else set()
    for number, copy in enumerate(copies):
        classify(copy, Privacy.PRIVATE if number in hidden else Privacy.CONFIDENTIAL)
    for number in hidden:
        line = originals[number].first("RECURRENCE-ID")
        assert line is not None
        originals[0].lines.append(Line(line.head.replace("RECURRENCE-ID", "EXDATE"), line.value, 0))
    plain.children = [
        child for child in plain.children if child not in [originals[number] for number in hidden]
    ]

    seen = masked(full, everything=False)

    assert privacy_of(full) is Privacy.CONFIDENTIAL
    assert seen is not None
    assert says_nothing(seen)
    assert in_time(known(seen)) == in_time(known(plain))


@some
@given(objects(), st.data())
def test_what_is_public_stays_and_says_nothing_of_the_rest(both, data):
    plain, full = both
    zones = [child for child in plain.children if child.name == "VTIMEZONE"]
    levels = st.sampled_from(list(Privacy))
    mixed = Component("VCALENDAR", 0)
    mixed.lines = plain.lines
    public = []
    for original, copy in zip(plain.children, full.children, strict=False):
        if original.name == "VTIMEZONE":
            continue
        level = data.draw(levels)
        part = original if level is Privacy.PUBLIC else copy
        classify(part, level)
        public += [part] if level is Privacy.PUBLIC else []
        mixed.children.append(part)
    mixed.children += zones + [child for child in full.children if child.name == "VTIMEZONE"]

    level = privacy_of(mixed)
    seen = masked(mixed, everything=False)

    assert (seen is None) == (level is Privacy.PRIVATE)
    if seen is None or level is Privacy.PUBLIC:
        return
    assert says_nothing(seen)
    text = serialize(seen)
    for component in public:
        assert serialize(component).removesuffix("END:VEVENT\r\n") in text
    assert known(seen).uid == "1"
