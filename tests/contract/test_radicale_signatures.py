"""What the adapters override and use of Radicale is as it was when they were written.

Radicale changes its plugin interfaces in most minor releases.  When this fails, read
what changed there, adapt the adapters, and print the new text with
``python tests/contract/test_radicale_signatures.py > tests/contract/radicale_signatures.txt``.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

import tagwerk_radicale

RECORDED = Path(__file__).with_name("radicale_signatures.txt")

BASES = (
    # All of these, so that a method or a flag that is new is seen.
    "radicale.auth.BaseAuth",
    "radicale.rights.BaseRights",
    "radicale.storage.BaseCollection",
    "radicale.storage.BaseStorage",
)

USED = (
    # The whole of the dispatch, because `tagwerk serve` replaces it method by method.
    "radicale.app.Application.__call__",
    "radicale.app.Application._handle_request",
    "radicale.app.Application._scrub_headers",
    "radicale.app.base.Access.__init__",
    "radicale.app.base.Access.check",
    "radicale.app.base.ApplicationBase.__init__",
    "radicale.app.base._check_path_format",
    "radicale.app.delete.ApplicationPartDelete.do_DELETE",
    "radicale.app.get.ApplicationPartGet.do_GET",
    "radicale.app.head.ApplicationPartHead.do_HEAD",
    "radicale.app.mkcalendar.ApplicationPartMkcalendar.do_MKCALENDAR",
    "radicale.app.mkcol.ApplicationPartMkcol.do_MKCOL",
    "radicale.app.move.ApplicationPartMove.do_MOVE",
    "radicale.app.options.ApplicationPartOptions.do_OPTIONS",
    "radicale.app.post.ApplicationPartPost.do_POST",
    "radicale.app.propfind.ApplicationPartPropfind.do_PROPFIND",
    # Asks inside of its lock for the rights that it shows.
    "radicale.app.propfind.ApplicationPartPropfind._collect_allowed_items",
    "radicale.app.proppatch.ApplicationPartProppatch.do_PROPPATCH",
    "radicale.app.put.ApplicationPartPut.do_PUT",
    "radicale.app.report.ApplicationPartReport.do_REPORT",
    "radicale.app.report.retrieve_items",
    # What reads the interfaces that the plugins offer.
    "radicale.auth.AuthContext.__init__",
    "radicale.auth.load",
    # Where groups come from.
    "radicale.auth.ldap.Auth._login_ext_with_groups",
    "radicale.auth.pam.Auth._login_ext_with_groups",
    "radicale.rights.load",
    "radicale.rights.intersect",
    "radicale.storage.load",
    "radicale.storage.ComponentNotFoundError.__init__",
    # What the adapters call.
    "radicale.config.load",
    "radicale.config.Configuration.copy",
    "radicale.config.Configuration.get",
    "radicale.config.Configuration.update",
    "radicale.item.Item.__init__",
    "radicale.item.Item.serialize",
    "radicale.item.get_uid_from_object",
    "radicale.pathutils.CollidingPathError.__init__",
    "radicale.pathutils.is_safe_path_component",
    "radicale.pathutils.strip_path",
    "radicale.pathutils.unstrip_path",
    "radicale.xmlutils.make_clark",
    "radicale.xmlutils.make_human_tag",
    "radicale.xmlutils.props_from_request",
)


def test_radicale_is_as_the_adapters_know_it():
    found = printed()

    assert found == RECORDED.read_text(encoding="utf-8"), (
        "Radicale's interfaces are not the recorded ones; see the head of this file."
    )


def test_every_dispatched_method_is_recorded():
    from radicale.app import Application

    recorded = RECORDED.read_text(encoding="utf-8")

    for name in dir(Application):
        if name.startswith("do_"):
            assert f".{name}(" in recorded, f"Radicale has {name} now."


def printed() -> str:
    """One line for each thing, sorted: its name, and its parameters with their defaults."""
    lines = {_line(name, _resolve(name)) for name in USED}
    for base in BASES:
        things = {name: thing for name, thing in vars(_resolve(base)).items() if _is_interface(name)}
        lines.update(_line(f"{base}.{name}", thing) for name, thing in things.items())
    for module in _adapters():
        for ours in vars(module).values():
            if inspect.isclass(ours) and ours.__module__ == module.__name__:
                lines.update(_overridden(ours))
    return "".join(f"{line}\n" for line in sorted(lines))


def _adapters():
    for info in pkgutil.iter_modules(tagwerk_radicale.__path__):
        yield importlib.import_module(f"tagwerk_radicale.{info.name}")


def _overridden(ours: type):
    for base in ours.__mro__[1:]:
        if not base.__module__.startswith("radicale"):
            continue
        for name, theirs in vars(base).items():
            if name in vars(ours) and _is_interface(name):
                yield _line(f"{base.__module__}.{base.__qualname__}.{name}", theirs)


def _is_interface(name: str) -> bool:
    return not name.startswith("__") or name in ("__init__", "__call__")


def _resolve(name: str) -> object:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = inspect.getattr_static(found, part)
        return found
    raise LookupError(name)


def _line(name: str, thing: object) -> str:
    if isinstance(thing, property):
        return f"{name} (property)"
    if not callable(thing):
        return f"{name} = {thing!r}"
    signature = inspect.signature(thing)
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()
    ]
    return f"{name}{signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)}"


if __name__ == "__main__":
    print(printed(), end="")
