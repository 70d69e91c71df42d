"""Properties while they are rewritten for the other version of vCard."""

from __future__ import annotations

from dataclasses import dataclass, field

from tagwerk.contentline import Line, fold, param_value

BINARY = frozenset({"KEY", "LOGO", "PHOTO", "SOUND"})
DATES = frozenset({"ANNIVERSARY", "BDAY", "DEATHDATE", "REV"})

RENAMED = {
    "X-ADDRESSBOOKSERVER-KIND": "KIND",
    "X-ADDRESSBOOKSERVER-MEMBER": "MEMBER",
    "X-ANNIVERSARY": "ANNIVERSARY",
    "X-GENDER": "GENDER",
}
"""What 3.0 has under a name of its own, mostly Apple's, and 4.0 under the name of the standard."""


@dataclass(slots=True)
class Prop:
    """A property that is being rewritten; `name` as it was written, `params` by upper-case name."""

    group: str
    name: str
    value: str
    params: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, line: Line) -> Prop:
        """The property that `line` is."""
        bare = line.head.partition(";")[0].rpartition(".")[2].strip()
        return cls(line.group, bare, line.value, {name: list(values) for name, values in line.params.items()})

    @property
    def key(self) -> str:
        return self.name.upper()

    def take(self, param: str) -> str:
        """The first value of the parameter `param`, which is removed; "" if there is none."""
        return "".join(self.params.pop(param, ())[:1])

    def types(self) -> list[str]:
        """The words of TYPE, which 4.0 also writes as one list in quotes."""
        return [part.strip() for value in self.params.get("TYPE", ()) for part in value.split(",")]

    def set_types(self, types: list[str]) -> None:
        self.params.pop("TYPE", None)
        if types:
            self.params["TYPE"] = types

    def __str__(self) -> str:
        """The property as folded lines."""
        head = f"{self.group}.{self.name}" if self.group else self.name
        for name, values in self.params.items():
            head += f";{name}=" + ",".join(map(param_value, values))
        return fold(f"{head}:{self.value}")
