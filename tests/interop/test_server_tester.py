"""caldav-server-tester: what it finds is known, and written down in docs/conformance.md."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from programs import program

pytestmark = pytest.mark.interop

KNOWN = {
    "scheduling": "comes with a later version",
    "url.encode-at.identity": "@ and %40 name the same object, as clients expect",
    "url.encode-at.literal.principal": "cannot be probed: the user's name has no @ in it",
    "well-known": "cannot be probed on this host; see tests/http/test_rfc6764_discovery.py",
}
"""Features that are not found in full, and why."""


@pytest.mark.slow
def test_every_finding_is_known(server, account, tmp_path):
    tester = program("caldav-server-tester", tmp_path)

    done = tester(
        *("--caldav-url", server.url, "--caldav-username", account.user or "", "--caldav-password", "secret"),
        *("--format", "json"),
    )

    report, _ = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("{") :])
    found = {name: value for name, value in report["features"].items() if value["support"] != "full"}
    assert {name: value for name, value in found.items() if name not in KNOWN} == {}
    assert "sync-token.limit" not in found


def test_every_finding_is_documented():
    page = (Path(__file__).resolve().parents[2] / "docs" / "conformance.md").read_text()

    assert [name for name in KNOWN if f"`{name}`" not in page] == []
