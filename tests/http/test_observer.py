"""What is seen of requests: lines, numbers, health; and what is never seen."""

from __future__ import annotations

import json
import logging
import re

import pytest

from asgi import running
from davsamples import event
from tagwerk.accounts.users import add_user
from tagwerk.cli.logs import _Json, _Lines
from tagwerk.errors import Unavailable
from tagwerk.http.metrics import Counter
from tagwerk.http.observer import client_of, report_in, route
from tagwerk.http.tally import MAX_SERIES, Tally
from tagwerk.model import Access
from tagwerk.sharing.links import make_link
from tagwerk.sharing.shares import By
from tagwerk.store.collections import find_binding

HERE, FAR = "127.0.0.1", "198.51.100.7"


@pytest.fixture
def start(tmp_path, password_hash):
    made = []

    def start(text=""):
        context = running(tmp_path, text)
        app = context.__enter__()
        made.append(context)
        with app.engine.write() as txn:
            add_user(txn, "anna", now=1, password_hash=password_hash)
        return app

    yield start
    for context in made:
        context.__exit__(None, None, None)


def numbers(app):
    text = app("GET", "/-/metrics", address=HERE).text
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def sync(app, token=""):
    body = (
        f'<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>'
        "<D:prop><D:getetag/></D:prop></D:sync-collection>"
    ).encode()
    return app(
        "REPORT", "/anna/calendar/", user="anna", body=body, User_Agent="iOS/26.0 (23A341) dataaccessd/1.0"
    )


def records(caplog, name):
    return [record for record in caplog.records if record.name == name]


def test_a_request_is_one_line_with_everything_and_no_secret(start, caplog):
    caplog.set_level(logging.INFO)
    app = start("[logging]\naccess = all\n")

    answer = app(
        "PUT", "/anna/calendar/Secret%20dentist.ics", user="anna", body=event("a", summary="Tell nobody"),
        Content_Type="text/calendar", User_Agent='DAVx5/4.5 "quoted"\n', X_Forwarded_For="1.2.3.4",
    )  # fmt: skip

    (record,) = records(caplog, "tagwerk.access")
    fields = record.fields
    assert (fields["user"], fields["method"], fields["status"]) == ("anna", "PUT", 201)
    assert (fields["route"], fields["address"]) == ("/anna/calendar/*", FAR)
    assert fields["request"] == answer.headers["x-request-id"]
    assert fields["bytes"] == len(answer.body)
    assert 0 < fields["seconds"] < 10
    for formatter in (_Lines(), _Json()):
        line = formatter.format(record)
        assert "\n" not in line
        assert not re.search("dentist|nobody|secret|Basic|YW5u", line, re.IGNORECASE)
    assert " user=anna " in _Lines().format(record)
    assert json.loads(_Json().format(record))["client"].startswith("DAVx5/4.5")


def test_no_line_and_no_number_tells_the_url_of_a_public_link(start, caplog):
    caplog.set_level(logging.DEBUG)
    app = start("[logging]\naccess = all\nslow_request_ms = 1\n")
    with app.engine.write() as txn:
        binding = find_binding(txn, "anna", "calendar")
        _, path = make_link(txn, binding, Access.READ, by=By("tests", 1))
    token = path.removeprefix("/public/").removesuffix(".ics")

    statuses = [app(method, path).status for method in ("GET", "HEAD", "PROPFIND", "BREW")]
    app("GET", path.replace(".ics", ".vcf"))
    app("GET", "/dav" + path, user="anna")
    app.frame.handle = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        app("GET", "/dav" + path)

    assert statuses == [200, 200, 405, 405]
    assert {"/public/*"} < {record.fields["route"] for record in records(caplog, "tagwerk.access")}
    assert not [
        record
        for record in caplog.records
        if token in _Json().format(record) and record.name.startswith(("tagwerk", "uvicorn"))
    ]
    assert token not in app("GET", "/-/metrics", address=HERE).text


def test_what_was_repaired_is_told_without_its_name_and_its_content(start, caplog):
    app = start()
    nameless = b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:Geheimrat;Hans;;;\r\nEND:VCARD\r\n"

    answer = app(
        "PUT", "/anna/contacts/secretname.vcf", user="anna", body=nameless, Content_Type="text/vcard"
    )

    assert answer.status == 201
    (record,) = records(caplog, "tagwerk.dav.objects")
    line = _Lines().format(record)
    assert "An object in /anna/contacts/ was repaired" in line
    assert not re.search("secretname|Geheimrat|Hans|UID", line)


def test_by_default_only_what_failed_here_is_a_line(start, caplog):
    caplog.set_level(logging.INFO)
    app = start()

    app("PROPFIND", "/", user="anna")
    app("PROPFIND", "/", user="anna", password="wrong")
    app("GET", "/anna/calendar/nothing.ics", user="anna")

    assert records(caplog, "tagwerk.access") == []


def test_a_quota_is_no_failure_of_the_server(start, caplog):
    app = start("[dav]\nquota = 100\n")

    answer = app("PUT", "/anna/calendar/a.ics", user="anna", body=event("a"), Content_Type="text/calendar")

    assert answer.status == 507
    assert caplog.records == []


def test_what_fails_is_one_line_that_says_where(start, caplog, monkeypatch):
    app = start()

    def away(self):
        raise Unavailable("The database is away.")

    monkeypatch.setattr(type(app.engine), "write", away)

    answer = app("PUT", "/anna/calendar/a.ics", user="anna", body=event("a"), Content_Type="text/calendar")

    assert answer.status == 503
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("tagwerk.access", "ERROR")
    assert record.fields["route"] == "/anna/calendar/*"


def test_an_id_of_the_proxy_is_kept_and_an_odd_one_is_not(start):
    app = start()

    def given(address, text):
        return app("GET", "/", address=address, X_Request_Id=text).headers["x-request-id"]

    assert given(HERE, "abcdef-123456") == "abcdef-123456"
    assert re.fullmatch("[0-9a-f]{16}", given(HERE, "a b\n"))
    assert re.fullmatch("[0-9a-f]{16}", given(FAR, "abcdef-123456"))


def test_every_line_of_a_request_has_its_id(start, caplog):
    app = start()
    seen = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(_Lines().format(record))
    logging.getLogger("tagwerk.accounts").addHandler(handler)

    answer = app("PROPFIND", "/", user="anna", password="wrong")

    logging.getLogger("tagwerk.accounts").removeHandler(handler)
    assert seen[0].endswith(f"(request {answer.headers['x-request-id']})")


def test_a_slow_request_is_told_with_its_queries_and_without_their_values(start, caplog):
    app = start("[logging]\nslow_request_ms = 1\n")

    for _ in range(5):
        app("PROPFIND", "/anna/", user="anna", Depth="1")

    record = records(caplog, "tagwerk.slow")[0]
    assert record.fields["queries"] > 1
    assert record.fields["query_seconds"] > 0
    assert any("SELECT" in each for each in record.fields["slowest"])
    assert not any("anna" in each for each in record.fields["slowest"])


def test_requests_syncs_and_failures_are_counted(start):
    app = start()
    for number in range(3):
        app(
            "PUT",
            f"/anna/calendar/{number}.ics",
            user="anna",
            body=event(str(number)),
            Content_Type="text/calendar",
        )
    sync(app)
    sync(app, "urn:tagwerk:sync:nonsense:1")
    app("PROPFIND", "/", user="anna", password="wrong")
    app("BREW", "/coffee")

    found = numbers(app)

    assert found['tagwerk_requests_total{method="PUT",report="",status="201"}'] == "3"
    assert found['tagwerk_requests_total{method="REPORT",report="sync-collection",status="207"}'] == "1"
    assert found['tagwerk_requests_total{method="other",report="",status="405"}'] == "1"
    assert found['tagwerk_request_seconds_count{method="REPORT",report="sync-collection"}'] == "2"
    assert found['tagwerk_sync_responses_bucket{le="1"}'] == "0"
    assert found['tagwerk_sync_responses_bucket{le="10"}'] == "1"
    assert found["tagwerk_sync_responses_sum"] in ("3", "4")
    assert found['tagwerk_invalid_sync_tokens_total{client="iOS"}'] == "1"
    assert found['tagwerk_failed_logins_total{status="401"}'] == "1"
    assert int(found['tagwerk_database_wait_seconds_count{mode="read"}']) > 3
    assert (found["tagwerk_outbox_depth"], found["tagwerk_outbox_dead"]) == ("0", "0")
    assert found["tagwerk_database_up"] == "1"


def test_prometheus_can_read_it(start):
    """Every line of the text format, and buckets that grow."""
    app = start()
    app("PROPFIND", "/", user="anna")

    answer = app("GET", "/-/metrics", address=HERE)

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    line = re.compile(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"\\]*",?)+\})? [0-9.e+-]+')
    assert all(line.fullmatch(each) for each in answer.text.splitlines())


@pytest.mark.parametrize("path", ["/-/metrics", "/-/health", "/-/health/live", "/-/health/ready"])
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"address": HERE}, 200),
        ({"address": "::1"}, 200),
        ({"address": ""}, 200),
        ({"address": FAR}, 404),
        # Who comes through the proxy is not the proxy.
        ({"address": HERE, "X_Forwarded_For": FAR}, 404),
        ({"address": FAR, "X_Forwarded_For": HERE}, 404),
    ],
)
def test_who_may_look(start, path, request_, status):
    assert start()("GET", path, **request_).status == status


def test_others_may_be_allowed(start):
    app = start("[observe]\nallow = 198.51.100.0/24\n")

    assert app("GET", "/-/health", address=FAR).status == 200
    assert app("GET", "/-/health", address=HERE).status == 404


def test_a_port_of_its_own_has_this_and_nothing_else(start):
    app = start("[observe]\nport = 9100\n[server]\nbase_path = /dav\n")
    there = {"scope": {"server": (HERE, 9100)}, "address": HERE}

    assert app("GET", "/-/metrics", **there).status == 200
    assert app("GET", "/dav/-/health", **there).status == 200
    assert app("PROPFIND", "/", user="anna", **there).status == 404
    assert app("GET", "/-/metrics", address=HERE).status == 404


def test_a_database_that_does_not_answer_is_not_ready_and_still_alive(start):
    app = start()
    app.engine.close()
    app.engine._connect = lambda: (_ for _ in ()).throw(OSError("gone"))

    ready = app("GET", "/-/health/ready", address=HERE)

    assert ready.status == 503
    assert json.loads(ready.body)["status"] == "not ready"
    assert app("GET", "/-/health/live", address=HERE).status == 200


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "/"),
        ("/anna/", "/anna"),
        ("/anna/work/", "/anna/work"),
        ("/anna/work/dentist.ics", "/anna/work/*"),
        ("/anna/work/a/b", "/anna/work/*"),
        ("/dav/anna/work/", "/anna/work"),
        ("/an na/w\nork/", "/an_na/w_ork"),
        ("/.well-known/caldav", "/.well-known/caldav"),
        ("/public/", "/public"),
        ("/public/token.ics", "/public/*"),
        ("/dav/public/token.ics", "/public/*"),
        ("/public/token/token.ics", "/public/*"),
        ("/Public/token.ics", "/Public/*"),
        ("//public//token.ics", "/public/*"),
        ("/elsewhere/public/token.ics", "/elsewhere/public/*"),
        ("/anna/public/", "/anna/public"),
    ],
)
def test_a_route_ends_at_the_collection(path, shown):
    assert route(path, "/dav") == shown


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("iOS/26.0 (23A341) dataaccessd/1.0", "iOS"),
        ("macOS/26.0 (25A354) CalendarAgent/1", "macOS"),
        ("DAVx5/4.5.2-ose (dav4jvm; okhttp/5.1.0) Android/16", "DAVx5"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0", "Thunderbird"),
        ("Evolution/3.56.2", "Evolution"),
        ("vdirsyncer/0.20", "vdirsyncer"),
        ("something", "other"),
        ("", "none"),
    ],
)
def test_clients_by_what_they_call_themselves(agent, family):
    assert client_of(agent) == family


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'<?xml version="1.0"?>\n<D:sync-collection xmlns:D="DAV:"/>', "sync-collection"),
        (b"<!-- x --><calendar-query xmlns='urn:x'>", "calendar-query"),
        (b"<made-up-by-a-client/>", "other"),
        (b"", "other"),
        (b"\xff\xfe<", "other"),
    ],
)
def test_reports_by_their_name(body, name):
    assert report_in(body) == name


def test_what_clients_choose_does_not_fill_the_memory():
    tally = Tally()
    counter = Counter(tally.sheet(), "a", "b", ("c",))

    for number in range(MAX_SERIES + 100):
        counter.add(str(number))

    assert len(tally.sums()["a"]) == MAX_SERIES


def test_the_alerts_ask_for_numbers_that_there_are(start):
    from pathlib import Path

    text = (Path(__file__).parents[2] / "config/prometheus/alerts.yml").read_text()
    app = start()
    there = app("GET", "/-/metrics", address=HERE).text

    for name in set(re.findall(r"tagwerk_\w+", text)):
        assert f"# TYPE {re.sub('_(bucket|sum|count)$', '', name)} " in there, name
