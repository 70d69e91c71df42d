"""Parts of a calendar object (RFC 4791 7.6 and 9.6.1 to 9.6.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tagwerk.contentline import Component, fold


@dataclass(frozen=True, slots=True)
class PropSelection:
    """``CALDAV:prop``: a property to return, without its value if `no_value`."""

    name: str
    no_value: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """``CALDAV:comp``: what to return of the component called `name`.

    One that has nothing in it stands for the whole component, as the VTIMEZONE in the
    example of RFC 4791 7.8.1.
    """

    name: str
    all_props: bool = False
    props: tuple[PropSelection, ...] = ()
    all_comps: bool = False
    comps: tuple[Selection, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return not (self.all_props or self.props or self.all_comps or self.comps) or (
            self.all_props and self.all_comps
        )


def select(calendar: Component, selection: Selection) -> str:
    """The parts of the VCALENDAR `calendar` that `selection`, for VCALENDAR, asks for.

    Lines and components keep their order.  What comes out need not be valid iCalendar
    (RFC 4791 9.6).  A selection for another component than VCALENDAR selects nothing of it.
    """
    if selection.name.upper() != calendar.name:
        selection = Selection(calendar.name, props=(PropSelection("VERSION"), PropSelection("PRODID")))
    return "".join(_selected(calendar, selection))


def _selected(component: Component, selection: Selection) -> Iterator[str]:
    whole = selection.is_whole
    wanted = {prop.name.upper(): prop for prop in selection.props}
    yield f"BEGIN:{component.name}\r\n"
    for line in component.lines:
        prop = wanted.get(line.name)
        if prop is not None and prop.no_value:
            yield fold(f"{line.head}:")
        elif prop is not None or whole or selection.all_props:
            yield fold(f"{line.head}:{line.value}")
    inner = {comp.name.upper(): comp for comp in selection.comps}
    for child in component.children:
        if whole or selection.all_comps:
            yield from _selected(child, Selection(child.name))
        elif (chosen := inner.get(child.name)) is not None:
            yield from _selected(child, chosen)
    yield f"END:{component.name}\r\n"
