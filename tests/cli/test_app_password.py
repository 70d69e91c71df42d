"""`tagwerk app-password` and `tagwerk totp`."""

from __future__ import annotations

import json
import re
import time

import pytest

from tagwerk.accounts import totp as factors
from tagwerk.accounts.app_passwords import is_app_password
from tagwerk.accounts.login import Authenticator
from tagwerk.model import Rights
from tagwerk.store import open_engine


@pytest.fixture
def engine(anna, data):
    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    yield engine
    engine.close()


def test_an_app_password_is_printed_once_and_lets_in(tagwerk, engine):
    made = tagwerk("app-password", "add", "anna", "Phone", "--rights", "calendar", "--expires", "30d")

    assert made.code == 0
    assert is_app_password(made.out.strip())
    assert "cannot be shown again" in made.err
    login = Authenticator(engine).authenticate("anna", made.out.strip(), address="192.0.2.7", client="iOS")
    assert (login.rights, login.label) == (Rights.CALENDAR, "Phone")


def test_the_list_tells_everything_but_the_secret(tagwerk, engine):
    secret = tagwerk("app-password", "add", "anna", "Phone", "--rights", "read-only").out.strip()
    authenticator = Authenticator(engine)
    authenticator.authenticate("anna", secret, address="192.0.2.7", client="iOS/26 dataaccessd")
    authenticator.close()

    (found,) = json.loads(tagwerk("app-password", "list", "anna", "--json").out)
    table = tagwerk("app-password", "list", "anna").out

    assert (found["label"], found["rights"], found["expires"]) == ("Phone", "read-only", None)
    assert (found["last_used_from"], found["last_used_by"]) == ("192.0.2.7", "iOS/26 dataaccessd")
    assert abs(found["last_used"] - time.time()) < 100
    assert secret not in table
    assert re.search(
        r"Phone +read-only +\d{4}-\d\d-\d\d +\d{4}-\d\d-\d\d \d\d:\d\d +192.0.2.7 +iOS/26", table
    )


def test_a_revoked_app_password_is_gone(tagwerk, engine):
    secret = tagwerk("app-password", "add", "anna", "Phone").out.strip()

    revoked = tagwerk("app-password", "revoke", "anna", "Phone")

    assert revoked.out == "The app password 'Phone' of anna was revoked.\n"
    assert Authenticator(engine).login("anna", secret) is None
    assert tagwerk("app-password", "revoke", "anna", "Phone").code == 1


@pytest.mark.parametrize("when", ["0d", "2001-01-01", "tomorrow", "-5d", "90", "2027-02-30"])
def test_an_expiry_that_is_past_or_no_day_is_refused(tagwerk, anna, when):
    result = tagwerk("app-password", "add", "anna", "Phone", "--expires", when)

    assert result.code in (1, 2)
    assert result.out == ""


def test_a_second_factor_is_added_verified_and_removed(tagwerk, anna):
    added = tagwerk("totp", "add", "anna")
    secret = re.search(r"secret=([A-Z2-7]+)", added.out).group(1)
    code = factors.code(secret, int(time.time()) // 30)

    assert "█" in added.out
    assert tagwerk("totp", "verify", "anna", "12345").code == 1
    assert tagwerk("totp", "verify", "anna", code).out == "The code is right; anna has a second factor.\n"
    assert tagwerk("totp", "verify", "anna", code).code == 1
    assert tagwerk("totp", "remove", "anna").code == 0
    assert tagwerk("totp", "verify", "anna", code).err == "tagwerk: This user has no second factor.\n"
