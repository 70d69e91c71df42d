"""Every error is a sentence on standard error with its exit code; options stand anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from cli_samples import calendar, event

import postgrescluster
from tagwerk import __version__
from tagwerk.cli import main as commands
from tagwerk.cli.doctor_here import source
from tagwerk.cli.invocation import MACHINE_DATA, Invocation
from tagwerk.errors import ConfigurationError
from tagwerk.store import open_engine
from tagwerk.store.schema import SCHEMA, set_meta


def test_the_version_is_said_in_two_ways(bare):
    assert bare("--version").out == f"tagwerk {__version__}\n"
    assert f"tagwerk {__version__}\nschema {SCHEMA}\n" in bare("version").out


def test_the_versions_can_be_read_by_programs(bare):
    versions = json.loads(bare("version", "--json").out)

    assert versions["tagwerk"] == __version__
    assert versions["schema"] == SCHEMA
    assert versions["radicale"].startswith("3.9.")


@pytest.mark.parametrize(
    "words", [("--help",), ("serve", "-h"), ("user", "--help"), ("user", "add", "--help")]
)
def test_help_is_no_error(bare, words):
    result = bare(*words)

    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Usage: tagwerk")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("user",),
        ("nothing",),
        ("user", "add"),
        ("serve", "--port", "x"),
        ("serve", "--port", "65536"),
        ("-x",),
    ],
)
def test_what_is_not_understood_has_exit_code_two(bare, words):
    result = bare(*words)

    assert result.code == 2
    assert result.out == ""
    assert "Usage: tagwerk" in result.err


def test_the_common_options_may_stand_anywhere(bare, data, anna):
    before = bare("--data", data, "user", "list", "--json")
    between = bare("user", "--data", data, "list", "--json")
    behind = bare("user", "list", "--json", "--data", data)
    last = bare("--data", "/nowhere", "user", "list", "--json", "--data", data)

    assert before == between == behind == last
    assert before.code == 0


def test_the_environment_says_where_the_data_is(bare, data, anna, monkeypatch):
    monkeypatch.setenv("TAGWERK_DATA", str(data))

    result = bare("user", "list")

    assert result.code == 0


def test_a_file_says_where_the_data_is(bare, data, anna, monkeypatch, tmp_path):
    config = tmp_path / "tagwerk.ini"
    config.write_text("[storage]\ndata = data\n")

    by_option = bare("user", "list", "--config", config)
    monkeypatch.setenv("TAGWERK_CONFIG", str(config))
    by_environment = bare("user", "list")

    assert (by_option.code, by_environment.code) == (0, 0)


@pytest.fixture
def on_machine(tmp_path, data, anna, capfd):
    """Run `tagwerk` where the service's file is `config`, with what the environment says."""
    config = tmp_path / "etc" / "tagwerk.ini"
    config.parent.mkdir()
    config.write_text(f"[storage]\ndata = {data}\n[dav]\nquota = 7 MB\n")

    def run(*words, **environ):
        invocation = Invocation(environ={"HOME": str(tmp_path), **environ}, machine=config)
        code = commands.tagwerk.main(args=list(map(str, words)), obj=invocation, standalone_mode=False)
        return code, *capfd.readouterr()

    run.config = config
    return run


def test_a_command_reads_what_the_service_of_the_machine_reads(on_machine, data):
    code, out, err = on_machine("user", "quota", "anna")

    assert (code, err) == (None, "")
    assert "7,000,000 bytes, the default" in out
    assert f"Every option in {on_machine.config} is understood." in on_machine("doctor")[1]


def test_another_file_and_none_win_over_that_of_the_machine(on_machine, data, tmp_path):
    other = tmp_path / "other.ini"
    other.write_text("[dav]\nquota = 8 MB\n")
    quota = ("user", "quota", "anna", "--data", data)

    assert "8,000,000" in on_machine(*quota, "--config", other)[1]
    assert "8,000,000" in on_machine(*quota, TAGWERK_CONFIG=str(other))[1]
    assert "without limit" in on_machine(*quota, TAGWERK_CONFIG="")[1]
    assert "No file was read" in on_machine("doctor", "--data", data, TAGWERK_CONFIG="")[1]


def test_what_is_given_by_hand_wins_over_the_file_of_the_machine(on_machine, tmp_path, data):
    on_machine.config.write_text(f"[storage]\nurl = sqlite://{data}/tagwerk.sqlite\n")

    for words in (("--data", tmp_path / "another"), ("--database", f"sqlite://{tmp_path}/another")):
        with pytest.raises(ConfigurationError, match="There is no database"):
            on_machine("user", "list", *words)


def test_without_a_word_about_the_data_they_are_the_services(tmp_path):
    config = tmp_path / "tagwerk.ini"
    config.write_text("")
    environ = {"HOME": "/home/anna"}

    assert Invocation(environ=environ, machine=config).settings().storage.data == MACHINE_DATA
    assert Invocation(config=config, environ=environ).settings().storage.data == Path(
        "/home/anna/.local/share/tagwerk"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_file_of_the_machine_that_is_kept_from_this_user_is_told(tmp_path, capfd):
    config = tmp_path / "tagwerk.ini"
    config.write_text("[dav]\nquota = 7 MB\n")
    config.chmod(0o640)
    invocation = Invocation(environ={"HOME": str(tmp_path)}, machine=config)

    os.seteuid(65534)
    try:
        settings, finding = invocation.settings(), source(invocation)
    finally:
        os.seteuid(0)

    assert settings.dav.quota == 0
    assert capfd.readouterr().err.startswith(f"{config} cannot be read by this user")
    assert (finding.level, finding.sentence) == ("wrong", f"{config} was not read: this user may not.")


@pytest.mark.parametrize("slashes", ["sqlite://", "sqlite:///"])
def test_a_database_may_lie_elsewhere(bare, data, anna, slashes):
    result = bare("user", "list", "--database", f"{slashes}{data}/tagwerk.sqlite")

    assert result.code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("user", "list"),
        ("collection", "list"),
        ("check",),
        ("export", "anna", "out"),
        ("user", "remove", "anna"),
    ],
)
def test_without_a_database_nothing_is_made(tagwerk, data, words):
    result = tagwerk(*words)

    assert result.code == 1
    assert result.err.startswith(f"tagwerk: There is no database at sqlite://{data}/tagwerk.sqlite;")
    assert not data.exists()


@pytest.mark.parametrize("words", [("user", "list"), ("worker",), ("backup", "file")])
def test_without_tables_on_postgresql_nothing_is_made(bare, postgres, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    url = postgrescluster.new_database(postgres, empty=True)

    said = bare(*words, "--database", url)
    moved = bare("transfer", "--from", url, "--to", f"sqlite://{tmp_path}/new.sqlite")

    assert (said.code, moved.code) == (1, 1)
    assert said.err.startswith(f"tagwerk: There is no database at {url};")
    assert moved.err == f"tagwerk: There is no database at {url}.\n"
    with psycopg.connect(url) as connection:
        assert (
            connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall() == []
        )
    assert list(tmp_path.glob("*.sqlite")) == []


def test_the_scheme_of_a_url_may_be_in_capitals(bare, postgres):
    url = postgrescluster.new_database(postgres)

    assert bare("user", "list", "--database", url.replace("postgresql", "PostgreSQL")).code == 0


def test_a_mistake_in_the_file_is_told_before_anything_is_done(bare, tmp_path, data):
    config = tmp_path / "tagwerk.ini"
    config.write_text("[sever]\n")

    result = bare("serve", "--config", config, "--data", data)

    assert result.code == 1
    assert result.err.startswith(
        f"tagwerk: {config}, line 1: there is no section [sever]. Did you mean 'server'?"
    )
    assert not data.exists()


def test_a_database_of_a_newer_program_is_refused_in_words(tagwerk, data, anna):
    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    with engine.write() as txn:
        set_meta(txn, "schema_version", "99")
        set_meta(txn, "compatibility", "99")
    engine.close()

    result = tagwerk("user", "list")

    assert result.code == 1
    assert result.err.startswith("tagwerk: This database has schema 99 ")


def test_what_is_no_database_is_refused_in_words(tagwerk, data):
    data.mkdir()
    (data / "tagwerk.sqlite").write_text("not a database at all " * 100)

    result = tagwerk("check")

    assert result.code == 1
    assert "cannot be used: file is not a database." in result.err


def test_a_mistake_of_ours_is_a_sentence_too(tagwerk, anna, monkeypatch):
    monkeypatch.setattr("tagwerk.cli.user.persons", None)

    result = tagwerk("user", "list")

    assert result.code == 70
    assert result.err.startswith("tagwerk: This should not have happened: TypeError: ")
    assert result.err.count("\n") == 1


def test_output_that_nobody_reads_is_no_mistake(data, anna):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "tagwerk.cli.main", "user", "list", "--data", str(data)],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, b"")


def test_names_that_are_no_utf8_can_be_shown(tagwerk, anna, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / os.fsdecode(b"M\xfcll.ics")).write_text("BEGIN:VCALENDAR\nnonsense\n")
    (folder / "good.ics").write_text(calendar(event("e1")))

    result = tagwerk("import", "anna", folder)

    assert result.code == 1
    assert result.out.startswith("1 added")
    assert "ll.ics:" in result.err
