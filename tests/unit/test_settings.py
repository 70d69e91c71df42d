"""Settings: defaults, precedence, and sentences that name the place of a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from radicale import config as radicale_config

from tagwerk.errors import ConfigurationError
from tagwerk.options import OPTIONS, RADICALE_AUTH_OPTIONS, RADICALE_AUTH_TYPES, parse_value
from tagwerk.settings import Settings, load


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tagwerk.ini"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path: Path, text: str) -> str:
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load(path, data=None, environ={"HOME": "/home/anna"})
    return str(caught.value)


def from_file(tmp_path: Path, text: str, **environ: str) -> Settings:
    return load(written(tmp_path, text), data=None, environ={"HOME": "/home/anna", **environ})


def test_without_anything_the_data_lies_in_the_home_folder():
    settings = load(None, data=None, environ={"HOME": "/home/anna"})

    assert settings.storage.data == Path("/home/anna/.local/share/tagwerk")
    assert settings.storage.database_url == "sqlite:///home/anna/.local/share/tagwerk/tagwerk.sqlite"
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 5232)
    assert settings.auth.type == "tagwerk"
    assert settings.dav.max_resource_size == 10 * 1024 * 1024
    assert settings.retention.tombstone_days == 365


def test_a_relative_xdg_folder_is_ignored():
    environ = {"HOME": "/home/anna", "XDG_DATA_HOME": "data"}

    settings = load(None, data=None, environ=environ)

    assert settings.storage.data == Path("/home/anna/.local/share/tagwerk")


@pytest.mark.parametrize(
    ("data", "environ", "expected"),
    [
        (Path("/line"), {"TAGWERK_DATA": "/environ", "XDG_DATA_HOME": "/xdg"}, "/line"),
        (None, {"TAGWERK_DATA": "/environ", "XDG_DATA_HOME": "/xdg"}, "/environ"),
        (None, {"XDG_DATA_HOME": "/xdg"}, "/xdg/tagwerk"),
        (None, {"TAGWERK_DATA": "", "XDG_DATA_HOME": "/xdg"}, "/xdg/tagwerk"),
        (None, {"TAGWERK_DATA": "~/calendars"}, "/home/anna/calendars"),
    ],
)
def test_the_data_folder_is_what_was_said_closest_to_the_command(data, environ, expected):
    settings = load(None, data=data, environ={"HOME": "/home/anna", **environ})

    assert settings.storage.data == Path(expected)
    assert settings.storage.database_url == f"sqlite://{expected}/tagwerk.sqlite"


def test_a_relative_data_folder_becomes_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    settings = load(None, data=Path("data"), environ={})

    assert settings.storage.data == tmp_path / "data"


def test_a_path_in_the_file_counts_from_the_folder_of_the_file(tmp_path):
    settings = from_file(tmp_path, "[storage]\ndata = data\n")

    assert settings.storage.data == tmp_path / "data"


@pytest.mark.parametrize(
    ("database", "environ", "expected"),
    [
        ("sqlite:///line", {"TAGWERK_DATABASE": "sqlite:///environ"}, "sqlite:///line"),
        (None, {"TAGWERK_DATABASE": "sqlite:///environ"}, "sqlite:///environ"),
        (None, {}, "sqlite:///file"),
    ],
)
def test_the_database_is_what_was_said_closest_to_the_command(tmp_path, database, environ, expected):
    path = written(tmp_path, "[storage]\nurl = sqlite:///file\n")

    settings = load(path, data=None, environ={"HOME": "/home/anna", **environ}, database=database)

    assert settings.storage.database_url == expected


@pytest.mark.parametrize(
    ("database", "expected"),
    [(None, "sqlite:///line/tagwerk.sqlite"), ("sqlite:///other", "sqlite:///other")],
)
def test_a_folder_on_the_command_line_has_its_own_database(tmp_path, database, expected):
    path = written(tmp_path, "[storage]\nurl = sqlite:///file\n")
    environ = {"TAGWERK_DATABASE": "sqlite:///environ", "TAGWERK_DATA": "/environ"}

    settings = load(path, data=Path("/line"), environ=environ, database=database)

    assert settings.storage.database_url == expected


def test_values_are_typed(tmp_path):
    text = """\ufeff
; a comment
[server]
host = ::1
PORT = 0
base_path = dav/cal/
max_body_size = 100 MB
[logging]
# another
format = json
"""

    settings = from_file(tmp_path, text)

    assert settings.server.host == "::1"
    assert settings.server.port == 0
    assert settings.server.base_path == "/dav/cal"
    assert settings.server.max_body_size == 100_000_000
    assert settings.logging.format == "json"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("65536", 65536),
        ("65536 B", 65536),
        ("64 KiB", 65536),
        ("64k", 65536),
        ("100 kB", 100_000),
        ("2M", 2 * 1024**2),
        ("1 GiB", 1024**3),
    ],
)
def test_a_size_may_carry_a_unit(tmp_path, text, size):
    settings = from_file(tmp_path, f"[server]\nmax_body_size = {text}\n")

    assert settings.server.max_body_size == size


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[server]\n\nprot = 1\n",
            "line 3: there is no option 'prot' in [server]. Did you mean 'port'? There are",
        ),
        (
            "[sever]\n",
            "line 1: there is no section [sever]. Did you mean 'server'? There are server, tls, storage,",
        ),
        ("[DEFAULT]\nhost = a\n", "line 1: there is no section [DEFAULT]."),
        ("[server]\nport = many\n", "line 2: [server] port must be a number, not 'many'."),
        ("[server]\nport = 65536\n", "line 2: [server] port must lie between 0 and 65535, 65536 does not."),
        ("[server]\nport =\n", "line 2: [server] port must be a number, not ''."),
        ("[server]\nhost =\n", "line 2: [server] host is empty."),
        ("[server]\nmax_body_size = huge\n", "must be a size such as 10 MiB, not 'huge'."),
        ("[server]\nbase_path = /a/../b\n", "must be a path such as /dav, not '/a/../b'."),
        ("[server]\nbase_path = /a?b\n", "must be a path such as /dav"),
        ("[retention]\ntombstone_days = 30\n", "must lie between 90 and 36500, 30 does not."),
        ("[auth]\ntype = htpaswd\n", "[auth] type cannot be 'htpaswd'. Did you mean 'htpasswd'?"),
        ("[auth]\nrealm = a\n  b\n", "must be one line without control characters."),
        ("[auth]\nldap_uri = ldap://x\n", "ldap_uri is an option of Radicale's types and means nothing with"),
        (
            "[auth]\ntype = ldap\nldap_url = ldap://x\n",
            "there is no option 'ldap_url' in [auth]. Did you mean 'ldap_uri'",
        ),
        ("[server]\nport = 1\nport = 2\n", "line 3: [server] port is there twice."),
        ("[server]\n[auth]\n[server]\n", "line 3: the section [server] is there twice."),
        ("port = 1\n", "line 1: 'port = 1' stands before the first [section]."),
        ("[server]\nport: 1\n", "line 2: "),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, text, sentence):
    message = refusal(tmp_path, text)

    assert message.startswith(f"{tmp_path}/tagwerk.ini, line ")
    assert sentence in message


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.ini cannot be read: No such file or directory\."):
        load(tmp_path / "nowhere.ini", data=None, environ={})


def test_a_file_in_another_encoding_is_a_sentence(tmp_path):
    path = tmp_path / "tagwerk.ini"
    path.write_bytes(b"[auth]\nrealm = B\xfcro\n")

    with pytest.raises(ConfigurationError, match=r"is not UTF-8 \(byte 16\)\."):
        load(path, data=None, environ={})


def test_radicales_options_of_auth_are_handed_on_as_written(tmp_path):
    text = "[auth]\ntype = ldap\nldap_secret = 100%% $HOME ; not a comment\nlc_username = True\n"

    settings = from_file(tmp_path, text)

    assert dict(settings.auth.extra) == {
        "ldap_secret": "100%% $HOME ; not a comment",
        "lc_username": "True",
    }


def test_a_users_name_can_be_lowered_for_our_own_users_too(tmp_path):
    settings = from_file(tmp_path, "[auth]\nlc_username = True\n")

    assert dict(settings.auth.extra) == {"lc_username": "True"}


def test_the_list_of_radicales_options_is_radicales():
    theirs = {name for name in radicale_config.DEFAULT_CONFIG_SCHEMA["auth"] if not name.startswith("_")}

    assert theirs - {"type", "realm", "delay"} == RADICALE_AUTH_OPTIONS


def test_the_list_of_radicales_types_is_radicales():
    internal = radicale_config.DEFAULT_CONFIG_SCHEMA["auth"]["type"]["internal"]

    assert set(internal) == set(RADICALE_AUTH_TYPES)


def test_every_option_has_an_attribute():
    settings = load(None, data=None, environ={"HOME": "/home/anna"})

    for option in OPTIONS:
        assert hasattr(getattr(settings, option.section), option.attribute or option.name)


def test_without_a_home_the_data_folder_must_be_said(monkeypatch):
    monkeypatch.setattr(Path, "home", _nobody)

    with pytest.raises(ConfigurationError, match="say where the data lies with --data"):
        load(None, data=None, environ={})


def _nobody() -> Path:
    raise RuntimeError("Could not determine home directory.")


@given(st.sampled_from(OPTIONS), st.text(max_size=40))
def test_any_value_is_understood_or_refused_in_words(option, text):
    refused = ""

    try:
        value = parse_value(option, text, where="here")
    except ConfigurationError as error:
        refused = str(error)

    kinds = {"integer": int, "size": int, "boolean": bool, "networks": tuple}
    assert refused.startswith("here: [") or isinstance(value, kinds.get(option.type, str))
