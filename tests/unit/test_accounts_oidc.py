"""Bearer tokens, against an issuer on this machine: what is accepted, what is not, and what is fetched."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tagwerk.accounts import oidc
from tagwerk.accounts.gate import InvalidToken
from tagwerk.accounts.oidc import OidcVerifier, fetch_json, is_allowed, verifier
from tagwerk.errors import ConfigurationError, Unavailable
from tagwerk.settings import load

AUDIENCE = "tagwerk"


class Issuer:
    """A provider with one signing key at a time."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.keys: dict[str, rsa.RSAPrivateKey] = {}
        self.extra: list[dict] = []
        self.down = False
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                if issuer.down:
                    self.send_error(503)
                    return
                if self.path == "/redirect":
                    self.send_response(302)
                    self.send_header("Location", "/keys")
                    self.end_headers()
                    return
                if self.path == "/nonsense":
                    self.wfile.write(b"nonsense\r\n\r\n")
                    return
                body = json.dumps(issuer.answer(self.path)).encode()
                if self.path == "/huge":
                    body = b'{"a": "' + b"x" * oidc.MAX_ANSWER + b'"}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, path: str):
        if path == "/keys":
            public = [
                json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"}
                for kid, key in self.keys.items()
            ]
            return {"keys": [*public, *self.extra]}
        return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}

    def rotate(self, kid: str, key: rsa.RSAPrivateKey) -> None:
        self.keys = {kid: key}

    def token(self, kid: str, *, key=None, algorithm: str = "RS256", **claims) -> str:
        now = int(time.time())
        whole = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "4711",
            "preferred_username": "anna",
            "exp": now + 300,
            "iat": now,
        } | claims
        whole = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(whole, key or self.keys[kid], algorithm=algorithm, headers={"kid": kid})

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="module")
def keys():
    return [rsa.generate_private_key(65537, 2048) for _ in range(2)]


@pytest.fixture
def issuer(keys):
    issuer = Issuer()
    issuer.rotate("one", keys[0])
    yield issuer
    issuer.close()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tokens(issuer, clock):
    return OidcVerifier(issuer.url, AUDIENCE, "preferred_username", clock=clock)


def test_a_token_of_the_issuer_names_its_user(issuer, tokens):
    assert tokens.user_of(issuer.token("one")) == "anna"
    assert tokens.user_of(issuer.token("one", aud=["other", AUDIENCE])) == "anna"


def test_the_keys_are_fetched_once(issuer, tokens):
    for _ in range(5):
        tokens.user_of(issuer.token("one"))

    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"aud": "another program"},
        {"aud": None},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"nbf": int(time.time()) + 3600},
        {"sub": None},
        {"preferred_username": None},
        {"preferred_username": ""},
        {"preferred_username": ["anna"]},
    ],
)
def test_what_is_wrong_with_a_token(issuer, tokens, claims):
    with pytest.raises(InvalidToken):
        tokens.user_of(issuer.token("one", **claims))


def test_a_token_that_somebody_else_signed_is_refused(issuer, tokens, keys):
    with pytest.raises(InvalidToken):
        tokens.user_of(issuer.token("one", key=keys[1]))


def test_neither_no_signature_nor_a_shared_secret_counts(issuer, tokens):
    unsigned = jwt.encode(
        {"iss": issuer.url, "aud": AUDIENCE, "preferred_username": "anna"}, "", algorithm="none"
    )
    secret = issuer.token("one", key="x" * 64, algorithm="HS256")

    for token in (unsigned, secret, "", "a.b.c", "no token", "x" * 20_000):
        with pytest.raises(InvalidToken):
            tokens.user_of(token)


def test_a_key_of_another_kind_than_the_token_says_is_refused(issuer, tokens):
    key = ec.generate_private_key(ec.SECP256R1())

    with pytest.raises(InvalidToken):
        tokens.user_of(issuer.token("one", key=key, algorithm="ES256"))


def test_elliptic_curves_are_taken(issuer, tokens):
    key = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    issuer.extra = [public | {"kid": "ec"}]

    assert tokens.user_of(issuer.token("ec", key=key, algorithm="ES256")) == "anna"


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_a_key_of_rsa_that_names_no_algorithm_is_used_with_every_one(issuer, tokens, algorithm):
    assert tokens.user_of(issuer.token("one", algorithm=algorithm)) == "anna"


def test_a_key_that_names_its_algorithm_is_used_with_no_other(issuer, tokens, keys):
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(keys[1].public_key()))
    issuer.extra = [public | {"kid": "two", "alg": "PS256"}]

    assert tokens.user_of(issuer.token("two", key=keys[1], algorithm="PS256")) == "anna"
    with pytest.raises(InvalidToken, match="another way"):
        tokens.user_of(issuer.token("two", key=keys[1], algorithm="RS256"))


@pytest.mark.parametrize(
    "other",
    [
        {"kty": "RSA", "alg": "RSA-OAEP-256", "kid": "two", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "use": "enc", "kid": "two", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "key_ops": ["encrypt"], "kid": "two", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "kid": "two", "n": "!", "e": "AQAB"},
        {"kty": "RSA", "kid": "two"},
        {"kty": "EC", "crv": "BP-256", "kid": "two", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "kid": "two", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "secp256k1", "kid": "two", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X25519", "kid": "two", "x": "AA"},
        {"kty": "OKP", "crv": "Ed448", "kid": "two"},
        {"kty": "oct", "kid": "two", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"},
        {"kty": "AKP", "alg": "ML-DSA-44", "kid": "two", "pub": "AA"},
        {"kty": ["RSA"], "alg": ["RS256"], "kid": "two"},
        {"kid": "two", "key_ops": 7},
        {},
        "a text",
        None,
    ],
)
def test_a_key_that_is_not_understood_is_passed_over(issuer, tokens, keys, other):
    """RFC 7517 5."""
    issuer.extra = [other]

    assert tokens.user_of(issuer.token("one")) == "anna"
    with pytest.raises(InvalidToken):
        tokens.user_of(issuer.token("two", key=keys[1]))
    with pytest.raises(InvalidToken):
        tokens.user_of(issuer.token("two", key="secret-secret-secret-secret-secr", algorithm="HS256"))


def test_a_new_key_is_found_when_the_issuer_rotates_and_the_old_one_is_not_taken_any_more(
    issuer, tokens, clock, keys
):
    old = issuer.token("one")
    tokens.user_of(old)

    issuer.rotate("two", keys[1])
    clock.now += oidc.PAUSE_SECONDS + 1

    assert tokens.user_of(issuer.token("two")) == "anna"
    with pytest.raises(InvalidToken):
        tokens.user_of(old)


def test_unknown_keys_do_not_make_us_ask_again_and_again(issuer, tokens, keys):
    tokens.user_of(issuer.token("one"))

    for number in range(20):
        with pytest.raises(InvalidToken):
            tokens.user_of(issuer.token(f"made up {number}", key=keys[1]))

    assert len(issuer.asked) == 2


def test_nobody_waits_for_an_issuer_that_hangs_but_who_asks_it(issuer, clock, keys):
    asked, answers = threading.Event(), threading.Event()
    hanging: list[str] = []

    def fetch(url):
        if hanging:
            asked.set()
            answers.wait(30)
        return fetch_json(url)

    tokens = OidcVerifier(issuer.url, AUDIENCE, "preferred_username", fetch=fetch, clock=clock)
    tokens.user_of(issuer.token("one"))
    known, new = issuer.token("one"), issuer.token("two", key=keys[1])
    issuer.keys["two"] = keys[1]
    clock.now += oidc.PAUSE_SECONDS + 1
    hanging.append("yes")
    found: list[str] = []
    asking = threading.Thread(target=lambda: found.append(tokens.user_of(new)))
    asking.start()
    assert asked.wait(30)

    # They come back although nobody answers: here nothing goes on until they have.
    clock.now += oidc.PAUSE_SECONDS + 1
    assert tokens.user_of(known) == "anna"
    for number in range(20):
        with pytest.raises(Unavailable):
            tokens.user_of(issuer.token(f"made up {number}", key=keys[1]))
    with pytest.raises(Unavailable):
        tokens.user_of(new)

    answers.set()
    asking.join()
    assert found == ["anna"]
    assert issuer.asked.count("/keys") == 2
    assert tokens.user_of(new) == "anna"


def test_an_issuer_that_is_down_does_not_stop_whoever_has_a_token_for_a_day(issuer, tokens, clock):
    tokens.user_of(issuer.token("one"))
    issuer.down = True

    clock.now += oidc.FRESH_SECONDS + 1
    assert tokens.user_of(issuer.token("one")) == "anna"

    clock.now += oidc.STALE_SECONDS
    with pytest.raises(Unavailable):
        tokens.user_of(issuer.token("one"))


def test_an_issuer_that_was_never_reached_is_unavailable(issuer, tokens):
    issuer.down = True

    with pytest.raises(Unavailable):
        tokens.user_of(issuer.token("one"))


def test_who_says_to_be_another_issuer_is_not_believed(issuer, clock):
    liar = OidcVerifier(issuer.url + "/", AUDIENCE, "sub", clock=clock)

    with pytest.raises(Unavailable):
        liar.user_of(issuer.token("one"))


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://login.example.org/realm", True),
        ("http://127.0.0.1:8080/", True),
        ("http://[::1]/", True),
        ("http://localhost/", True),
        ("http://login.example.org/", False),
        ("http://169.254.169.254/", False),
        ("file:///etc/passwd", False),
        ("ftp://127.0.0.1/", False),
        ("", False),
        ("https://", False),
    ],
)
def test_what_may_be_fetched(url, allowed):
    assert is_allowed(url) is allowed


def test_redirects_floods_and_nonsense_are_refused(issuer):
    with pytest.raises(OSError, match="302"):
        fetch_json(issuer.url + "/redirect")
    with pytest.raises(OSError, match="nonsense"):
        fetch_json(issuer.url + "/nonsense")
    with pytest.raises(ValueError, match="bytes"):
        fetch_json(issuer.url + "/huge")


@pytest.mark.parametrize(
    "lines",
    ["oidc_issuer = https://login.example.org", "oidc_issuer = http://evil.example\noidc_audience = x"],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, lines):
    path = tmp_path / "tagwerk.ini"
    path.write_text(f"[auth]\n{lines}\n")

    with pytest.raises(ConfigurationError):
        verifier(load(path, data=tmp_path, environ={}).auth)


def test_whoever_asks_is_told_how_many_keys_there_are_or_why_not(issuer):
    checked = OidcVerifier(issuer.url, AUDIENCE, "sub")

    assert checked.ask() == len(issuer.keys)
    issuer.keys.clear()
    with pytest.raises(Unavailable, match="None of the keys"):
        checked.ask()
    issuer.down = True
    with pytest.raises(Unavailable, match="cannot be read"):
        checked.ask()
