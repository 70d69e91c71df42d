"""Every way to log in, through the whole application: tables of attempts with the expected answer."""

from __future__ import annotations

import base64
import datetime
import re
import time
from contextlib import ExitStack
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from asgi import running
from tagwerk.accounts.app_passwords import add_app_password
from tagwerk.accounts.gate import InvalidToken
from tagwerk.accounts.users import add_user
from tagwerk.model import Access, Rights
from tagwerk.sharing.links import make_link
from tagwerk.sharing.shares import By
from tagwerk.store.collections import find_binding
from tagwerk.store.principals import add_principal, principal_by_name, set_state

EVIL, PROXY = "203.0.113.66", "127.0.0.1"


@pytest.fixture
def start(tmp_path, password_hash):
    """Start the application with these options and the user anna."""
    with ExitStack() as stack:

        def start(text=""):
            app = stack.enter_context(running(tmp_path, text))
            with app.engine.write() as txn:
                add_user(txn, "anna", now=1, password_hash=password_hash, email="anna@example.org")
            return app

        yield start


def add_secret(app, rights=Rights.ALL, user="anna"):
    with app.engine.write() as txn:
        principal = principal_by_name(txn, user)
        return add_app_password(txn, principal.id, "phone", now=int(time.time()), rights=rights)


def me(app, **request):
    """Whom the server takes us for: a path, or the status."""
    body = b'<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>'
    answer = app("PROPFIND", "/", Depth="0", body=body, **request)
    if answer.status != 207:
        return answer.status
    return next(node.text for node in answer.xml().iter("{DAV:}href") if node.text != "/")


def test_guessing_is_answered_429_with_the_time_to_come_back(start):
    app = start("[auth]\nthrottle_failures = 3\nthrottle_seconds = 600\n")

    answers = [app("PROPFIND", "/", user="anna", password=f"guess{n}", address=EVIL) for n in range(4)]
    unknown = [app("PROPFIND", "/", user="nobody", password=f"guess{n}", address=EVIL) for n in range(4)]

    assert [each.status for each in answers] == [401, 401, 401, 429]
    assert 590 < int(answers[3].headers["retry-after"]) <= 600
    assert [(a.status, a.body) for a in answers] == [(u.status, u.body) for u in unknown]
    assert app("PROPFIND", "/", user="anna").status == 207


def test_behind_a_proxy_the_address_of_the_client_counts(start):
    app = start("[auth]\nthrottle_failures = 2\n")

    for n in range(3):
        last = app("PROPFIND", "/", user="anna", password=f"g{n}", address=PROXY, X_Forwarded_For=EVIL)

    assert last.status == 429
    assert app("PROPFIND", "/", user="anna", address=PROXY, X_Forwarded_For="198.51.100.7").status == 207


def test_a_household_is_not_locked_out_by_one_who_guesses_other_names(start):
    app = start("[auth]\ncache_seconds = 0\n")
    assert app("PROPFIND", "/", user="anna", address=EVIL).status == 207

    for n in range(52):
        last = app("PROPFIND", "/", user=f"user{n}", password="guess", address=EVIL)
    app.frame.gate._authenticator._throttle.close()

    assert last.status == 429
    assert app("PROPFIND", "/", user="anna", address=EVIL).status == 207


def test_who_is_no_proxy_cannot_choose_an_address(start):
    app = start("[auth]\nthrottle_failures = 2\n")

    answers = [
        app(
            "PROPFIND", "/", user="anna", password=f"g{n}", address=EVIL, X_Forwarded_For=f"10.0.0.{n}"
        ).status
        for n in range(3)
    ]

    assert answers == [401, 401, 429]


def test_a_guess_leaves_one_line_that_names_the_address_and_no_password(start, caplog):
    app = start()

    app("PROPFIND", "/", user="anna", password="hunter2-guess", address=EVIL)
    app("PROPFIND", "/", user="hunter2-as-name", password="x", address=EVIL)

    lines = [record.getMessage() for record in caplog.records if record.name == "tagwerk.accounts"]
    assert lines == [f"Login failed from {EVIL} for 'anna'", f"Login failed from {EVIL} for an unknown name"]


def test_the_rights_of_an_app_password_hold_over_http(start):
    app = start()
    secret = add_secret(app, Rights.CALENDAR)

    assert app("PROPFIND", "/anna/calendar/", user="anna", password=secret, Depth="0").status == 207
    assert app("PROPFIND", "/anna/contacts/", user="anna", password=secret, Depth="0").status == 403
    assert app("PROPFIND", "/anna/contacts/", user="anna", Depth="0").status == 207


def test_app_passwords_only(start):
    app = start("[auth]\napp_passwords_only = yes\n")
    secret = add_secret(app)

    assert me(app, user="anna") == 401
    assert me(app, user="anna", password=secret) == "/anna/"


def test_a_user_whom_a_proxy_names_is_let_in_and_gets_a_home(start):
    app = start("[auth]\ntype = http_x_remote_user\n")

    assert me(app, address=PROXY, X_Remote_User="ben") == "/ben/"
    assert app("PROPFIND", "/ben/calendar/", address=PROXY, X_Remote_User="ben", Depth="0").status == 207
    assert me(app, address=EVIL, X_Remote_User="ben") == 401
    assert me(app, address=PROXY) == 401
    assert me(app, address=PROXY, user="anna") == 401


def test_app_passwords_work_beside_a_proxy_that_names_users(start):
    app = start("[auth]\ntype = http_x_remote_user\n")
    secret = add_secret(app)

    assert me(app, user="anna", password=secret) == "/anna/"


def test_app_passwords_work_beside_radicales_types(start, tmp_path):
    (tmp_path / "users").write_text("anna:from the file\n")
    app = start(
        f"[auth]\ntype = htpasswd\nhtpasswd_filename = {tmp_path}/users\nhtpasswd_encryption = plain\n"
    )
    secret = add_secret(app)

    assert me(app, user="anna", password=secret) == "/anna/"
    assert me(app, user="anna", password="from the file") == "/anna/"
    assert me(app, user="anna", password="secret") == 401


def test_a_name_in_the_directory_that_is_a_group_here_is_nobody(start, tmp_path):
    (tmp_path / "users").write_text("anna:right\nclub:right\n")
    app = start(
        f"[auth]\ntype = htpasswd\nhtpasswd_filename = {tmp_path}/users\nhtpasswd_encryption = plain\n"
    )
    with app.engine.write() as txn:
        add_principal(txn, "club", now=1, kind="group")

    assert me(app, user="club", password="right") == 401
    assert me(app, user="anna", password="right") == "/anna/"


def test_radicales_types_are_throttled_too(start, tmp_path):
    (tmp_path / "users").write_text("anna:right\n")
    app = start(
        f"[auth]\ntype = htpasswd\nhtpasswd_filename = {tmp_path}/users\nhtpasswd_encryption = plain\n"
        "throttle_failures = 2\n"
    )

    answers = [me(app, user="anna", password=password, address=EVIL) for password in ("a", "b", "c", "right")]

    assert answers == [401, 401, 429, 429]
    assert me(app, user="anna", password="right") == "/anna/"


def test_no_line_of_radicales_types_has_what_was_typed_as_a_name(start, tmp_path, caplog):
    (tmp_path / "users").write_text("anna:right\n")
    app = start(
        f"[auth]\ntype = htpasswd\nhtpasswd_filename = {tmp_path}/users\nhtpasswd_encryption = plain\n"
    )

    assert me(app, user="hunter2-as-name", password="x") == 401
    assert me(app, user="anna", password="wrong") == 401

    assert "user not found (htpasswd): '(a name)'" in caplog.text
    assert "hunter2" not in caplog.text


class Tokens:
    def user_of(self, token):
        if not token.startswith("for-"):
            raise InvalidToken("no")
        return token.removeprefix("for-")


class Named:
    """Takes every token for one of a name."""

    def __init__(self, name):
        self.name = name

    def user_of(self, token):
        return self.name


def test_bearer_tokens(start):
    app = start()
    app.frame.gate._tokens = Tokens()

    refused = app("PROPFIND", "/", Authorization="Bearer nonsense")

    assert me(app, Authorization="Bearer for-anna") == "/anna/"
    assert me(app, Authorization="bearer for-new") == "/new/"
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="Tagwerk", error="invalid_token"'


@pytest.mark.parametrize("name", ["a/b", "", "..", "public", "a\x00b", "a\ud800", "x" * 200, "a b"])
def test_who_cannot_be_a_user_is_not_logged_in_however_they_come(start, name):
    app = start("[auth]\ntype = http_x_remote_user\ncertificate_header = X-Client-Cert\n")
    app.frame.gate._tokens = Named(name)

    answer = app("PROPFIND", "/", Authorization="Bearer any")

    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    if name.isprintable() and name.isascii() and len(name) <= 64:
        assert me(app, address=PROXY, X_Remote_User=name) == 401
        assert me(app, address=PROXY, X_Client_Cert=quote(pem(name))) == 401


def test_who_is_switched_off_is_told_that_the_token_is_not_good(start):
    app = start()
    app.frame.gate._tokens = Tokens()
    with app.engine.write() as txn:
        set_state(txn, principal_by_name(txn, "anna").id, "disabled")

    answer = app("PROPFIND", "/", Authorization="Bearer for-anna")

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="Tagwerk", error="invalid_token"'


def test_where_tokens_are_taken_both_ways_to_log_in_are_offered_and_basic_comes_first(start):
    app = start("[auth]\noidc_issuer = https://login.example.org\noidc_audience = tagwerk\n")

    answers = [app("PROPFIND", "/"), app("PROPFIND", "/", user="anna", password="wrong")]

    for answer in answers:
        assert answer.status == 401
        challenge = 'Basic realm="Tagwerk", charset="UTF-8", Bearer realm="Tagwerk"'
        assert answer.headers["www-authenticate"] == challenge


def test_without_a_provider_a_bearer_token_is_nothing(start):
    answer = start()("PROPFIND", "/", Authorization="Bearer for-anna")

    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_users_who_are_not_there_are_not_made_where_the_settings_say_so(start):
    app = start("[auth]\ncreate_users = no\n")
    app.frame.gate._tokens = Tokens()

    assert me(app, Authorization="Bearer for-anna") == "/anna/"
    assert me(app, Authorization="Bearer for-new") == 401


def test_a_disabled_user_is_refused_however_they_come(start):
    app = start("[auth]\ncertificate_header = X-Client-Cert\n")
    app.frame.gate._tokens = Tokens()
    secret = add_secret(app)
    with app.engine.write() as txn:
        set_state(txn, principal_by_name(txn, "anna").id, "disabled")

    assert me(app, user="anna") == 401
    assert me(app, user="anna", password=secret) == 401
    assert me(app, Authorization="Bearer for-anna") == 401
    assert me(app, address=PROXY, X_Client_Cert=quote(pem("anna"))) == 401


@pytest.fixture
def link(password_hash):
    """Make a public link to anna's calendar; its path."""

    def link(app, **options):
        with app.engine.write() as txn:
            binding = find_binding(txn, "anna", "calendar")
            return make_link(txn, binding, Access.READ, by=By("tests", 1), **options)[1]

    return link


def test_the_links_of_a_disabled_user_lead_nowhere_until_they_are_enabled(start, link):
    app = start()
    path = link(app)
    with app.engine.read() as txn:
        anna = principal_by_name(txn, "anna").id

    found = []
    for state in ("active", "disabled", "active"):
        with app.engine.write() as txn:
            set_state(txn, anna, state)
        found.append(app("GET", path).status)

    assert found == [200, 404, 200]


def test_the_password_of_a_link_is_guessed_no_more_often_than_that_of_a_user(
    start, link, password_hash, caplog
):
    app = start("[auth]\nthrottle_failures = 3\nthrottle_seconds = 600\n")
    path, other = link(app, password_hash=password_hash), link(app, password_hash=password_hash)

    answers = [app("GET", path, user="x", password=f"guess{n}", address=EVIL) for n in range(4)]
    repeated = [app("GET", other, user="x", password="old", address=EVIL).status for _ in range(6)]

    assert [each.status for each in answers] == [401, 401, 401, 429]
    assert 590 < int(answers[3].headers["retry-after"]) <= 600
    assert repeated == [401] * 6
    assert app("GET", path, user="x", address=EVIL).status == 429
    assert app("GET", other, user="x", address=EVIL).status == 200
    assert app("GET", path, user="x", address="198.51.100.7").status == 200
    assert app("GET", path, address=EVIL).status == 401
    lines = [record.getMessage() for record in caplog.records if record.name == "tagwerk.accounts"]
    assert len(lines) == 4
    assert all(
        re.fullmatch(f"Login failed from {EVIL} for the public link [0-9a-f]+", line) for line in lines
    )


def test_who_guesses_at_links_and_names_is_bounded_for_both_together(start, link, password_hash):
    app = start("[auth]\nthrottle_address_failures = 4\n")
    path = link(app, password_hash=password_hash)

    for n in range(2):
        app("GET", path, user="x", password=f"guess{n}", address=EVIL)
        app("PROPFIND", "/", user=f"user{n}", password="guess", address=EVIL)

    assert app("PROPFIND", "/", user="anna", address=EVIL).status == 429
    assert app("GET", path, user="x", address=EVIL).status == 429


def certificate(name: str, email: str = "", *, days: int = 1) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    if email:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(email)]), critical=False)
    return builder.sign(key, hashes.SHA256())


def pem(name: str, email: str = "", **options) -> str:
    return certificate(name, email, **options).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    "written",
    [
        quote,  # nginx: $ssl_client_escaped_cert
        lambda text: text.replace("\n", "\t"),  # nginx: $ssl_client_cert
        lambda text: text.replace("\n", " ").strip(),  # Apache
        lambda text: "".join(text.splitlines()[1:-1]),  # Caddy: {tls_client_certificate_der_base64}
        lambda text: f":{''.join(text.splitlines()[1:-1])}:",  # RFC 9440
    ],
)
def test_a_certificate_from_a_proxy_however_it_is_written(start, written):
    app = start("[auth]\ncertificate_header = X-Client-Cert\n")

    assert me(app, address=PROXY, X_Client_Cert=written(pem("anna"))) == "/anna/"
    assert me(app, address=EVIL, X_Client_Cert=written(pem("anna"))) == 401


@pytest.mark.parametrize(
    ("text", "status"),
    [("", 401), ("nonsense", 401), ("%%%", 401), (quote(pem("anna", days=-1)), 401), (quote(pem("")), 401)],
)
def test_a_certificate_that_says_nothing_is_refused(start, text, status):
    app = start("[auth]\ncertificate_header = X-Client-Cert\n")

    assert me(app, address=PROXY, X_Client_Cert=text) == status


def test_a_certificate_may_name_its_user_by_address(start):
    app = start("[auth]\ncertificate_header = X-Client-Cert\ncertificate_user = email\n")

    assert me(app, address=PROXY, X_Client_Cert=quote(pem("Anna M.", "Anna@example.org"))) == "/anna/"
    assert me(app, address=PROXY, X_Client_Cert=quote(pem("anna", "eve@example.org"))) == 401


def test_whoever_sends_a_password_beside_a_certificate_means_the_password(start):
    app = start("[auth]\ncertificate_header = X-Client-Cert\n")

    assert me(app, address=PROXY, X_Client_Cert=quote(pem("ben")), user="anna") == "/anna/"
    assert me(app, address=PROXY, X_Client_Cert=quote(pem("anna")), user="anna", password="wrong") == 401


def test_a_destination_counts_behind_a_proxy_under_a_path(start):
    app = start("[server]\nbase_path = /dav\n")
    app("PUT", "/dav/anna/calendar/a.ics", user="anna", Content_Type="text/calendar", body=_EVENT)

    moved = app(
        "MOVE",
        "/dav/anna/calendar/a.ics",
        user="anna",
        address=PROXY,
        X_Forwarded_Host="cal.example.org",
        X_Forwarded_Proto="https",
        Destination="https://cal.example.org/dav/anna/calendar/b.ics",
    )

    assert (moved.status, moved.headers["location"]) == (201, "/dav/anna/calendar/b.ics")


_EVENT = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\n"
    b"DTSTART:20260101T000000Z\r\nSUMMARY:a\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_an_umlaut_in_a_token_or_header_is_no_accident(start):
    app = start("[auth]\ntype = http_x_remote_user\n")

    name = "jürgen".encode().decode("latin-1")
    header = base64.b64encode("jürgen:x".encode()).decode()

    assert me(app, address=PROXY, Authorization=f"Basic {header}") == 401
    assert me(app, address=PROXY, X_Remote_User=name) == "/j%C3%BCrgen/"
