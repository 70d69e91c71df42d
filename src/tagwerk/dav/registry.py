"""Features: one unit per area of a standard, that says itself what it adds.

A feature registers its methods, reports and live properties with decorators, and names
the tokens of the ``DAV:`` header.  OPTIONS, ``supported-report-set`` and their kin are
written from this registry alone, so they cannot announce what is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from tagwerk.dav.message import Response
from tagwerk.dav.resources import Context, Resource, Where

Handler = Callable[[Context], Response]
Preparation = Callable[[Context], object]
ReportHandler = Callable[[Context, Resource, Element], Response]
Getter = Callable[[Context, Resource], str | None]
Setter = Callable[[Context, Element], str]


@dataclass(frozen=True, slots=True)
class Method:
    """`where` it is allowed; `writes`: it runs in a write transaction.

    `prepare` runs before that, in a snapshot of its own, for work that needs no lock;
    its result is `Context.prepared`.
    """

    name: str
    where: Where
    writes: bool
    handler: Handler
    prepare: Preparation | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A REPORT by the Clark name of its root element."""

    name: str
    where: Where
    handler: ReportHandler


@dataclass(frozen=True, slots=True)
class Action:
    """What a POST asks for, by the Clark name of the root element of its body."""

    name: str
    where: Where
    handler: ReportHandler


@dataclass(frozen=True, slots=True)
class Property:
    """A live property.

    `get` returns the content of its element as XML, None where the resource has none.
    `set` checks what a client wants to write and returns the XML to remember; without
    it the property is protected.  `in_allprop`: RFC 4918 9.1 names it.
    """

    name: str
    where: Where
    get: Getter
    in_allprop: bool = False
    set: Setter | None = None


class Feature:
    """What one area of a standard adds."""

    def __init__(self, name: str, *, tokens: tuple[str, ...] = ()) -> None:
        self.name = name
        self.tokens = tokens
        self.methods: list[Method] = []
        self.reports: list[Report] = []
        self.actions: list[Action] = []
        self.properties: list[Property] = []

    def method(
        self, name: str, *, on: Where, writes: bool = False, prepare: Preparation | None = None
    ) -> Callable[[Handler], Handler]:
        """Register a method."""

        def register(handler: Handler) -> Handler:
            self.methods.append(Method(name, on, writes, handler, prepare))
            return handler

        return register

    def report(self, name: str, *, on: Where) -> Callable[[ReportHandler], ReportHandler]:
        """Register a report."""

        def register(handler: ReportHandler) -> ReportHandler:
            self.reports.append(Report(name, on, handler))
            return handler

        return register

    def action(self, name: str, *, on: Where) -> Callable[[ReportHandler], ReportHandler]:
        """Register what a POST can ask for."""

        def register(handler: ReportHandler) -> ReportHandler:
            self.actions.append(Action(name, on, handler))
            return handler

        return register

    def live_property(
        self, name: str, *, on: Where, in_allprop: bool = False, set: Setter | None = None
    ) -> Callable[[Getter], Getter]:
        """Register a live property; several may share a name in different places."""

        def register(getter: Getter) -> Getter:
            self.properties.append(Property(name, on, getter, in_allprop, set))
            return getter

        return register


class Registry:
    """Every feature, looked up by what a request names."""

    def __init__(self, features: tuple[Feature, ...]) -> None:
        self.features = features
        self.methods = {method.name: method for feature in features for method in feature.methods}
        self._reports: dict[str, list[Report]] = {}
        for report in (report for feature in features for report in feature.reports):
            self._reports.setdefault(report.name, []).append(report)
        self._actions = [action for feature in features for action in feature.actions]
        self._properties: dict[Where, dict[str, Property]] = {
            where: {p.name: p for feature in features for p in feature.properties if where in p.where}
            for where in Where
        }

        settable = {p.name for feature in features for p in feature.properties if p.set is not None}
        self._computed = {p.name for feature in features for p in feature.properties} - settable

    def computed(self, name: str) -> bool:
        """Whether the server alone gives this property its value, wherever there is one."""
        return name in self._computed

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens of the ``DAV:`` header, in the order of the features (RFC 4918 10.1)."""
        return tuple(dict.fromkeys(token for feature in self.features for token in feature.tokens))

    def properties(self, where: Where) -> dict[str, Property]:
        """The live properties of a kind of resource, by Clark name."""
        return self._properties[where]

    def allowed(self, where: Where) -> tuple[str, ...]:
        """The methods of a kind of resource, or of several together (RFC 9110 10.2.1)."""
        return tuple(sorted(name for name, method in self.methods.items() if where & method.where))

    def reports_on(self, where: Where) -> tuple[str, ...]:
        """The reports of a kind of resource (RFC 3253 3.1.5)."""
        return tuple(
            sorted(
                name
                for name, reports in self._reports.items()
                if any(where in report.where for report in reports)
            )
        )

    def report(self, name: str, where: Where) -> Report | None:
        """The report called `name` of a kind of resource."""
        return next((report for report in self._reports.get(name, ()) if where in report.where), None)

    def action(self, name: str, where: Where) -> ReportHandler | None:
        """What a POST with the root element `name` does to a kind of resource."""
        return next((one.handler for one in self._actions if one.name == name and where in one.where), None)

    def has_report(self, name: str) -> bool:
        """Whether any resource has a report called `name`."""
        return name in self._reports
