"""What one user gets to know of another (RFC 3744 4; ``[dav] principal_lookup``)."""

from __future__ import annotations

import pytest

from davclient import NS

SECRET = '<X:note xmlns:X="urn:x">secret</X:note><D:displayname>Somebody Else</D:displayname>'


@pytest.fixture
def bob(world, dav):
    """A client of bob's; anna has set properties of her own."""
    world.add_user("bob")
    dav(
        "PROPPATCH",
        "/anna/",
        f"<D:propertyupdate {NS}><D:set><D:prop>{SECRET}</D:prop></D:set></D:propertyupdate>",
    )
    return world.client("bob")


@pytest.mark.parametrize(
    "asked",
    ["<D:allprop/>", "<D:propname/>", f"<D:prop>{SECRET}</D:prop>"],
    ids=["allprop", "propname", "prop"],
)
def test_what_somebody_set_on_their_principal_is_not_shown_to_others(dav, bob, asked):
    body = f"<D:propfind {NS}>{asked}</D:propfind>"

    shown, own = bob("PROPFIND", "/anna/", body, Depth="0"), dav("PROPFIND", "/anna/", body, Depth="0")

    assert b"HTTP/1.1 200" in shown.body
    assert b"secret" not in shown.body
    assert b"Somebody" not in shown.body
    assert b"note" in own.body


def test_a_search_shows_the_name_that_it_looks_for(bob):
    answer = bob(
        "REPORT",
        "/",
        f"<D:principal-property-search {NS}><D:property-search><D:prop><D:displayname/></D:prop><D:match>anna</D:match>"
        "</D:property-search><D:prop><D:displayname/></D:prop></D:principal-property-search>",
    )

    assert "Anna Müller" in answer.body.decode()
