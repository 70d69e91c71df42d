"""`tagwerk migrate dav` from servers that stumble: what could not be had is listed, and asked for the next time."""

from __future__ import annotations

import pytest

import serverprocess
import stumbling
from davclient import Dav
from davsamples import event
from migrated import check, fill
from serverprocess import tagwerk


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A server that never stumbles, and what is in it."""
    folder = tmp_path_factory.mktemp("there")
    config = folder / "there.ini"
    config.write_text("[dav]\nsync_page_size = 10\n[auth]\ntype = none\n")
    server = serverprocess.start(folder / "data", "--config", config)
    yield server.url, fill(server.url, 25)
    assert server.stop() == 0


@pytest.fixture
def there(origin):
    """The URL of the server before it, its rules, and what is in it."""
    rules: list[stumbling.Rule] = []
    with stumbling.before(origin[0], rules) as url:
        yield url, rules, origin[1]


def move(url, data, *words):
    return tagwerk(
        "migrate", "dav", url, "anna", "--password-stdin", "--data", data, *words, stdin="x\n", check=False
    )


def one_broken(status, *, inside):
    """One object cannot be had by multiget, which fails as a whole or for it, nor by GET."""

    def rule(method, path, body):
        if method == "REPORT" and "calendar-multiget" in body and "/anna/work/7.ics" in body:
            one = f"<D:response><D:href>/anna/work/7.ics</D:href><D:status>HTTP/1.1 {status} No</D:status></D:response>"
            return (207, f'<D:multistatus xmlns:D="DAV:">{one}</D:multistatus>') if inside else (500, "")
        return (status, "") if (method, path) == ("GET", "/anna/work/7.ics") else None

    return rule


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("status", [403, 500])
def test_an_object_that_cannot_be_had_is_left_out_and_comes_the_next_time(there, tmp_path, status, inside):
    url, rules, content = there
    data = tmp_path / "data"
    rules.append(one_broken(status, inside=inside))

    first = move(url, data)
    second = move(url, data)
    rules.clear()
    third = move(url, data)
    fourth = move(url, data)

    assert first.returncode == second.returncode == 1
    assert f"left out: anna/work/7.ics: the server answers with {status}\n" in first.stderr
    assert "anna/work, new: 24 added, 0 changed, 0 unchanged, 1 left out." in first.stdout
    assert "anna/work: 0 added, 0 changed, 24 unchanged, 1 left out." in second.stdout
    assert "anna/work: 1 added, 0 changed, 24 unchanged, 0 left out." in third.stdout
    assert "anna/work: 0 added, 0 changed, 0 unchanged, 0 left out." in fourth.stdout
    assert third.returncode == fourth.returncode == 0
    check(data, content)


@pytest.mark.parametrize("status", [404, 410])
def test_an_object_that_went_away_meanwhile_is_gone(there, tmp_path, status):
    url, rules, _ = there
    rules.append(one_broken(status, inside=True))

    done = move(url, tmp_path / "data")

    assert done.returncode == 0
    assert (
        "anna/work, new: 24 added, 0 changed, 0 unchanged, 0 left out, 1 gone there and kept here."
        in done.stdout
    )


def test_a_collection_that_cannot_be_read_is_left_out_and_comes_the_next_time(there, tmp_path):
    url, rules, content = there
    data = tmp_path / "data"
    rules.append(
        lambda method, path, _: (
            (500, "") if path == "/anna/work/" and method in ("REPORT", "PROPFIND") else None
        )
    )

    first = move(url, data)
    rules.clear()
    second = move(url, data)

    assert first.returncode == 1
    assert "left out: anna/work/the collection: the server answers with 500\n" in first.stderr
    assert "3 objects were moved." in first.stdout
    assert second.returncode == 0
    check(data, content)


def test_a_page_that_cannot_be_had_is_left_out_unless_the_names_can(there, tmp_path):
    url, rules, content = there
    data = tmp_path / "data"

    def second_page(method, path, body):
        is_first = "<D:sync-token></D:sync-token>" in body
        return (500, "") if path == "/anna/work/" and "sync-collection" in body and not is_first else None

    def names(method, path, _):
        return (500, "") if (method, path) == ("PROPFIND", "/anna/work/") else None

    rules += [second_page, names]

    first = move(url, data)
    rules.remove(names)
    second = move(url, data)

    assert first.returncode == 1
    assert "anna/work, new: 10 added, 0 changed, 0 unchanged, 1 left out." in first.stdout
    assert second.returncode == 0
    check(data, content)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("resourcetype", "tagwerk: Everything in /anna/: the server answers with 500."),
        ("home-set", "tagwerk: What caldav has for /anna/: the server answers with 500."),
    ],
)
def test_a_home_that_cannot_be_read_is_no_wrong_url(there, tmp_path, asked, said):
    url, rules, _ = there
    rules.append(lambda _, path, body: (500, "") if path == "/anna/" and asked in body else None)

    done = move(url, tmp_path / "data")

    assert done.returncode == 1
    assert done.stderr.startswith(said)


def test_a_collection_that_its_home_cannot_describe_is_left_out(there, tmp_path):
    url, rules, _ = there
    described = (
        '<D:multistatus xmlns:D="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><D:response><D:href>/anna/friends/'
        "</D:href><D:propstat><D:prop><D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype></D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response><D:response><D:href>/anna/work/</D:href>"
        "<D:status>HTTP/1.1 503 Later</D:status></D:response></D:multistatus>"
    )
    rules.append(
        lambda method, path, body: (207, described) if path == "/anna/" and "resourcetype" in body else None
    )

    done = move(url, tmp_path / "data", "--report", tmp_path / "report.json")

    assert done.returncode == 1
    said = "/anna/work/: the server answers with 503 and does not say what it is."
    assert f"left out: {said}\n" in done.stderr
    assert "3 objects were moved." in done.stdout
    assert said in (tmp_path / "report.json").read_text()


def test_what_was_too_large_comes_when_it_may(tmp_path):
    """In the second of three pages: the first is remembered, the others are read again."""
    config = tmp_path / "there.ini"
    config.write_text("[dav]\nsync_page_size = 120\n[auth]\ntype = none\n")
    server = serverprocess.start(tmp_path / "there", "--config", config)
    content = fill(server.url, 130)
    client = Dav(server.url, "anna")
    content["work"]["big.ics"] = event("big", summary="x" * 3000)
    assert client.put("/anna/work/big.ics", content["work"]["big.ics"]).status == 201
    for n in range(130, 260):
        content["work"][f"{n}.ics"] = event(f"uid-{n}")
        assert client.put(f"/anna/work/{n}.ics", content["work"][f"{n}.ics"]).status == 201
    client.close()
    data = tmp_path / "data"
    small = tmp_path / "small.ini"
    small.write_text("[dav]\nmax_resource_size = 2000\n")

    first = move(server.url, data, "--config", small)
    again = move(server.url, data, "--config", small)
    second = move(server.url, data)
    third = move(server.url, data)
    assert server.stop() == 0

    assert first.returncode == again.returncode == 1
    assert "left out: anna/work/big.ics: it has 3," in first.stderr
    assert "anna/work: 0 added, 0 changed, 140 unchanged, 1 left out." in again.stdout
    assert "anna/work: 1 added, 0 changed, 140 unchanged, 0 left out." in second.stdout
    assert "anna/work: 0 added, 0 changed, 0 unchanged, 0 left out." in third.stdout
    check(data, content)
