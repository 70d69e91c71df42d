"""What an app password is for, method by method: nothing goes past it."""

from __future__ import annotations

import pytest

from davclient import DAV
from davsamples import card, event
from enginedav import LimitedDav
from tagwerk.dav.features import FEATURES
from tagwerk.model import Rights

WRITING = sorted({method.name for feature in FEATURES for method in feature.methods if method.writes})


@pytest.fixture
def as_(dav, calendar, book):
    """A client of anna's with the given rights; there are an event and a card."""
    dav.put(f"{calendar}a.ics", event("a"))
    dav.put(f"{book}a.vcf", card("a"))

    def client(rights: Rights) -> LimitedDav:
        limited = LimitedDav(dav.url, dav.user, engine=dav.engine)
        limited.rights = rights
        return limited

    return client


@pytest.mark.parametrize("method", WRITING)
def test_a_read_only_login_has_no_method_that_writes(as_, calendar, method):
    answer = as_(Rights.READ_ONLY)(method, f"{calendar}a.ics", Destination=f"{calendar}b.ics")

    assert answer.status == 403
    assert b"need-privileges" in answer.body


def test_there_are_methods_that_write():
    assert {"PUT", "DELETE", "MKCOL", "MKCALENDAR", "PROPPATCH", "COPY", "MOVE", "POST"} <= set(WRITING)


def test_a_read_only_login_reads_everything(as_, calendar, book):
    client = as_(Rights.READ_ONLY)

    assert client.get(f"{calendar}a.ics").status == 200
    assert client.get(f"{book}a.vcf").status == 200


def test_a_read_only_login_is_told_that_it_may_not_write(as_, calendar):
    for path in (calendar, "/anna/"):
        name = DAV + "current-user-privilege-set"
        found = as_(Rights.READ_ONLY).propfind(path, name).only().values[name]
        granted = {node.tag for privilege in found for node in privilege}

        assert DAV + "read" in granted
        assert not granted & {DAV + each for each in ("all", "write", "write-content", "bind", "unbind")}


@pytest.mark.parametrize(
    ("rights", "mine", "other"),
    [(Rights.CALENDAR, "/anna/work/", "/anna/friends/"), (Rights.CONTACTS, "/anna/friends/", "/anna/work/")],
)
class TestOneKind:
    def test_a_home_shows_one_kind(self, as_, rights, mine, other):
        found = as_(rights).propfind("/anna/", DAV + "resourcetype", depth="1").found

        assert mine in found
        assert other not in found

    @pytest.mark.parametrize(
        "method", ["GET", "PROPFIND", "DELETE", "PROPPATCH", "REPORT", "HEAD", "PUT", "POST"]
    )
    @pytest.mark.parametrize("name", ["", "a.ics", "new.ics"])
    def test_the_other_kind_is_refused_whatever_is_asked(self, as_, rights, mine, other, method, name):
        answer = as_(rights)(method, other + name)

        assert answer.status == 403

    @pytest.mark.parametrize("method", ["COPY", "MOVE"])
    def test_nothing_goes_into_the_other_kind_or_over_it(self, as_, dav, rights, mine, other, method):
        client = as_(rights)

        assert client(method, mine, Destination=f"http://dav.example.org{other}", Overwrite="T").status == 403
        assert client(method, other, Destination="http://dav.example.org/anna/new/").status == 403
        assert other in dav.propfind(other, DAV + "resourcetype").found

    def test_a_report_on_the_home_names_nothing_of_the_other_kind(self, as_, rights, mine, other):
        body = (
            '<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>infinite</D:sync-level>'
            "<D:prop><D:getetag/></D:prop></D:sync-collection>"
        )

        answer = as_(rights)("REPORT", "/anna/", body, Depth="0").text

        assert mine in answer
        assert other not in answer

    def test_a_multiget_does_not_reach_over(self, as_, rights, mine, other):
        kind, namespace = (
            ("calendar", "urn:ietf:params:xml:ns:caldav")
            if rights is Rights.CALENDAR
            else ("addressbook", "urn:ietf:params:xml:ns:carddav")
        )
        name = "a.vcf" if rights is Rights.CALENDAR else "a.ics"
        body = (
            f'<C:{kind}-multiget xmlns:D="DAV:" xmlns:C="{namespace}"><D:prop><D:getetag/></D:prop>'
            f"<D:href>{other}{name}</D:href></C:{kind}-multiget>"
        )

        answer = as_(rights)("REPORT", mine, body, Depth="1").text

        assert "getetag>" not in answer.replace("<D:getetag/>", "")

    def test_nothing_of_the_other_kind_is_made(self, as_, rights, mine, other):
        wanted = "CR:addressbook" if rights is Rights.CALENDAR else "C:calendar"
        body = (
            '<D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
            ' xmlns:CR="urn:ietf:params:xml:ns:carddav"><D:set><D:prop><D:resourcetype><D:collection/>'
            f"<{wanted}/></D:resourcetype></D:prop></D:set></D:mkcol>"
        )

        assert as_(rights)("MKCOL", "/anna/new/", body).status == 403

    def test_the_own_kind_is_written(self, as_, rights, mine, other):
        name, text = ("b.ics", event("b")) if rights is Rights.CALENDAR else ("b.vcf", card("b"))

        assert as_(rights).put(mine + name, text).status == 201
