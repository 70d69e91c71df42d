"""Names of collections that come into one home."""

from __future__ import annotations

from tagwerk.migration.source import SourceCollection, all_at_once, distinct
from tagwerk.model import Kind


def collection(owner: str, name: str, kind: Kind = Kind.CALENDAR) -> SourceCollection:
    return SourceCollection(owner, name, kind, (), {}, all_at_once(list))


def test_the_first_of_one_name_keeps_it_and_no_other_loses_its_own():
    found = distinct(
        [
            collection("anna", "default"),
            collection("anna", "default"),
            collection("ben", "default", Kind.ADDRESSBOOK),
            collection("anna", "default", Kind.ADDRESSBOOK),
            collection("anna", "default", Kind.ADDRESSBOOK),
            collection("anna", "default-addressbook", Kind.ADDRESSBOOK),
        ]
    )

    assert [(each.owner, each.name, each.there) for each in found] == [
        ("anna", "default", ""),
        ("anna", "default-calendar", "default"),
        ("ben", "default", ""),
        ("anna", "default-addressbook-2", "default"),
        ("anna", "default-addressbook-3", "default"),
        ("anna", "default-addressbook", ""),
    ]
