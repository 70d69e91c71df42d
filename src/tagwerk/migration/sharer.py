"""The sharer: gives again what was given there, and remembers it, so that what is changed here stays.

What was given by a move before is not given a second time: whoever took it back, or changed
its level, meant it.  A change there is followed where nothing was changed here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tagwerk.dav import paths
from tagwerk.dav.resources import RESERVED_NAMES
from tagwerk.errors import InvalidPath, NotFound, Refused, TagwerkError
from tagwerk.migration.source import SourceGroup, SourceShare
from tagwerk.model import EVERYBODY, Binding, Principal, Status
from tagwerk.sharing import groups, shares
from tagwerk.sharing.shares import ASK, AT_ONCE, EVERYBODY_NAME, By
from tagwerk.store import Engine, Transaction
from tagwerk.store.collections import binding_to, find_binding_of, is_taken
from tagwerk.store.engine import run
from tagwerk.store.principals import add_principal, check_name, members_of, principal_by_name, source_of
from tagwerk.store.properties import set_collection_properties
from tagwerk.store.schema import meta, set_meta
from tagwerk.store.shares import answer, find_share, invitation

ACTOR = "migration"
"""Who did it, in the audit."""

_LEFT = "left"
"""In the place of a level: they have left what reached them by a group."""


@dataclass(slots=True)
class GroupReport:
    """What became of one group; `joined` are the members who are new in it."""

    name: str
    made: bool = False
    joined: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ShareReport:
    """What became of one share; `why` says why it could not be made."""

    owner: str
    name: str
    grantee: str
    level: str
    status: str
    made: bool = False
    why: str = ""


class Sharer:
    """Makes groups and shares in one database; with `dry` nothing is written.

    `coming` are the users, and `arriving` the collections as owner and name, that are not
    here in a dry run but would be.
    """

    def __init__(self, engine: Engine, *, now: Callable[[], int], dry: bool) -> None:
        self._engine, self._now, self._dry = engine, now, dry
        self.coming: set[str] = set()
        self.arriving: set[tuple[str, str]] = set()

    def group(self, group: SourceGroup) -> GroupReport:
        """Make a group, and put its members into it who were not put there before."""
        report = GroupReport(group.name)
        try:
            with self._engine.read() as txn:
                check_name(group.name)
                known = principal_by_name(txn, group.name)
                inside = set() if known is None else {each.name for each in members_of(txn, known.id)}
                source = "" if known is None else source_of(txn, known.id)
            if known is not None and known.kind != "group":
                raise Refused(f"{group.name} is a {known.kind} here.")
            if source:
                raise Refused(f"Who is in {group.name} is said by {source}, at each login.")
            report.made = known is None
            if self._dry:
                self.coming.add(group.name)
                report.joined = [each for each in group.members if each not in inside and self._is_here(each)]
            else:
                run(self._engine, lambda txn: self._join(txn, group, report))
        except TagwerkError as error:
            report.left_out.append(str(error))
        return report

    def _is_here(self, name: str) -> bool:
        with self._engine.read() as txn:
            return name in self.coming or principal_by_name(txn, name) is not None

    def _join(self, txn: Transaction, group: SourceGroup, report: GroupReport) -> None:
        report.joined, report.left_out = [], []
        here = principal_by_name(txn, group.name) or add_principal(
            txn, group.name, now=self._now(), kind="group", display_name=group.display_name
        )
        for name in group.members:
            member = principal_by_name(txn, name)
            if member is None or member.kind != "person":
                report.left_out.append(f"{name} is not here.")
                continue
            key = f"migrate member {here.id:x} {member.id:x}"
            if not meta(txn, key) and groups.join(txn, here, member, by=self._by()):
                report.joined.append(name)
            set_meta(txn, key, "yes")

    def share(self, share: SourceShare) -> ShareReport:
        """Give what was given there, unless that was done before."""
        level = share.access.value if share.access else _LEFT
        grantee = EVERYBODY_NAME if share.grantee is None else share.grantee
        report = ShareReport(share.owner, share.name, grantee, level, share.status.value)
        try:
            if self._dry:
                with self._engine.read() as txn:
                    report.made = self._is_missing(txn, share)
            else:
                report.made = run(self._engine, lambda txn: self._give(txn, share))
        except TagwerkError as error:
            report.why = str(error)
        return report

    def _is_missing(self, txn: Transaction, share: SourceShare) -> bool:
        binding, grantee = self._place(txn, share), self._grantee(txn, share)
        if binding is None or (grantee is None and share.grantee is not None):
            return True
        return self._is_wanted(txn, share, binding, grantee)

    def _place(self, txn: Transaction, share: SourceShare) -> Binding | None:
        """The owner's place of what is shared; None in a dry run where there would be one."""
        owner = principal_by_name(txn, share.owner)
        binding = None if owner is None else find_binding_of(txn, owner.id, share.name)
        if owner is not None and binding is not None and binding.collection.owner == owner.id:
            return binding
        if (share.owner, share.name) not in self.arriving:
            raise NotFound(f"{share.owner}/{share.name} is not here.")
        return None

    def _grantee(self, txn: Transaction, share: SourceShare) -> Principal | None:
        """None for everybody, and in a dry run for somebody who would be here."""
        found = None if share.grantee is None else principal_by_name(txn, share.grantee)
        if found is None and share.grantee is not None and share.grantee not in self.coming:
            raise NotFound(f"{share.grantee} is not here.")
        if found is not None and found.kind != ("group" if share.to_group else "person"):
            raise Refused(f"{found.name} is a {found.kind} here.")
        return found

    def _is_wanted(
        self, txn: Transaction, share: SourceShare, binding: Binding, grantee: Principal | None
    ) -> bool:
        before, now = meta(txn, _key(binding, grantee)), _value(share)
        if before == now:
            return False
        here = find_share(txn, binding.collection.id, grantee.id if grantee else EVERYBODY)
        if not before or before.startswith(_LEFT):
            return here is None
        return here is not None and here.access.value == before.partition(" ")[0]

    def _give(self, txn: Transaction, share: SourceShare) -> bool:
        binding, grantee = self._place(txn, share), self._grantee(txn, share)
        assert binding is not None
        wanted = self._is_wanted(txn, share, binding, grantee)
        if wanted:
            accept = ASK if share.status is Status.PENDING else AT_ONCE
            if share.access is not None:
                shares.share(txn, binding, grantee, share.access, by=self._by(accept))
            if grantee is not None and share.status is Status.DECLINED:
                if invitation(txn, grantee.id, binding.collection.id) is not None:
                    shares.decline(txn, grantee, binding.collection.id, by=self._by())
            elif grantee is not None:
                self._settle(txn, share, binding, grantee)
        set_meta(txn, _key(binding, grantee), _value(share))
        return wanted

    def _settle(self, txn: Transaction, share: SourceShare, binding: Binding, grantee: Principal) -> None:
        """What was a sharee's own there is their own here: the name in the home, and how it looks."""
        place = binding_to(txn, grantee.id, binding.collection.id)
        if place is None:
            return
        if _is_name(share.place) and not is_taken(txn, grantee.id, share.place):
            answer(txn, place.id, status=Status.ACCEPTED, name=share.place)
        set_collection_properties(txn, binding.collection.id, share.properties, binding=place.id)

    def _by(self, accept: str = AT_ONCE) -> By:
        return By(ACTOR, self._now(), accept)


def _key(binding: Binding, grantee: Principal | None) -> str:
    """Under which a share is remembered; a collection that is made again has another id."""
    return f"migrate share {binding.collection.id:x} {grantee.id if grantee else 0:x}"


def _is_name(name: str) -> bool:
    """Whether a collection can be called so in a home."""
    try:
        return paths.split(paths.segment(name)) == (name,) and name not in RESERVED_NAMES
    except InvalidPath:
        return False


def _value(share: SourceShare) -> str:
    return f"{share.access.value if share.access else _LEFT} {share.status.value}"
