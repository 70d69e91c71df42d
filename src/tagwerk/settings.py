"""Settings: the options of `tagwerk.options` with their values.

What is said on the command line comes first, then the environment, then the INI file,
then the default.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tagwerk.errors import ConfigurationError
from tagwerk.options import (
    NAME_OPTIONS,
    OPTIONS,
    RADICALE_AUTH_OPTIONS,
    SECTIONS,
    TAGWERK,
    choices,
    parse_value,
)


@dataclass(frozen=True, slots=True)
class Server:
    """[server]; sizes in bytes, `base_path` is empty or begins with a slash and does not end with one."""

    host: str
    port: int
    workers: int
    base_path: str
    public_url: str
    max_body_size: int
    trusted_proxies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tls:
    """[tls]; without a certificate there is none.  A key of None is in the same file."""

    certificate: Path | None
    key: Path | None
    client_ca: Path | None


@dataclass(frozen=True, slots=True)
class Storage:
    """[storage]; `data` is absolute."""

    data: Path
    database_url: str


@dataclass(frozen=True, slots=True)
class Auth:
    """[auth]; `extra` holds the options that are Radicale's, as written."""

    type: str
    realm: str
    cache_seconds: int
    argon2_memory: int
    argon2_passes: int
    argon2_lanes: int
    app_passwords_only: bool
    throttle_failures: int
    throttle_address_failures: int
    throttle_seconds: int
    certificate_header: str
    certificate_user: str
    oidc_issuer: str
    oidc_audience: str
    oidc_user_claim: str
    create_users: bool
    extra: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Dav:
    """[dav]; sizes in bytes."""

    max_resource_size: int
    sync_page_size: int
    max_multiget: int
    max_results: int
    quota: int
    principal_lookup: str


@dataclass(frozen=True, slots=True)
class Sharing:
    """[sharing]"""

    accept: str


@dataclass(frozen=True, slots=True)
class Maintenance:
    """[maintenance]; `backup_folder` is absolute."""

    backup_folder: Path
    backups: int


@dataclass(frozen=True, slots=True)
class Retention:
    """[retention]"""

    tombstone_days: int
    audit_days: int
    trash_days: int
    history_days: int


@dataclass(frozen=True, slots=True)
class Jobs:
    """[jobs]; `run` is ``serve`` or ``worker``."""

    run: str


@dataclass(frozen=True, slots=True)
class Onboarding:
    """[onboarding]; a key of None is in the file of the certificate."""

    title: str
    certificate: Path | None
    key: Path | None


@dataclass(frozen=True, slots=True)
class Logging:
    """[logging]"""

    level: str
    format: str
    access: str
    slow_request_ms: int


@dataclass(frozen=True, slots=True)
class Observe:
    """[observe]; port 0 for the server's own."""

    allow: tuple[str, ...]
    port: int
    host: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Every option with its value, one attribute for each section of the file."""

    server: Server
    tls: Tls
    storage: Storage
    auth: Auth
    dav: Dav
    sharing: Sharing
    maintenance: Maintenance
    retention: Retention
    onboarding: Onboarding
    logging: Logging
    jobs: Jobs
    observe: Observe


def database_in(folder: Path) -> str:
    """The URL of the database that a data folder has unless something names another one."""
    return f"sqlite://{folder / 'tagwerk.sqlite'}"


def load(
    path: Path | None,
    *,
    data: Path | None,
    environ: Mapping[str, str],
    database: str | None = None,
    default: Path | None = None,
) -> Settings:
    """The settings that the file at `path` makes, or the defaults without one.

    `data` and `database` are what the command line says, and win over ``$TAGWERK_DATA``
    and ``$TAGWERK_DATABASE``, which win over the file.  With `data` alone the database is the
    one in that folder.  Paths in the file count from its folder.
    `default` is the folder of the data where nothing names one, instead of the user's own.

    Raises:
        ConfigurationError: the file cannot be read, or says something that is not understood.
    """
    written = {} if path is None else _read(path)
    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for option in OPTIONS:
        raw = written.pop((option.section, option.name), None)
        text, where = raw or (option.default, f"The default of [{option.section}] {option.name}")
        values[option.section][option.attribute or option.name] = parse_value(option, text, where=where)
    extra = {name: text for (_, name), (text, _) in written.items()}
    folder = (
        data or _environ_path(environ, "TAGWERK_DATA") or _file_path(values["storage"]["data"], path, environ)
    )
    folder = Path.absolute(folder or default or _xdg_data_home(environ) / "tagwerk")
    url = database
    if not url and data is None:
        url = environ.get("TAGWERK_DATABASE") or values["storage"]["database_url"]
    return Settings(
        Server(**values["server"]),
        Tls(**{name: _file_path(text, path, environ) for name, text in values["tls"].items()}),
        Storage(data=folder, database_url=url or database_in(folder)),
        Auth(**values["auth"], extra=MappingProxyType(extra)),
        Dav(**values["dav"]),
        Sharing(**values["sharing"]),
        Maintenance(
            _file_path(values["maintenance"]["backup_folder"], path, environ) or folder / "backups",
            values["maintenance"]["backups"],
        ),
        Retention(**values["retention"]),
        Onboarding(
            values["onboarding"]["title"],
            *(_file_path(values["onboarding"][name], path, environ) for name in ("certificate", "key")),
        ),
        Logging(**values["logging"]),
        Jobs(**values["jobs"]),
        Observe(**values["observe"]),
    )


def _read(path: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Every option of the file by section and name: what is written, and where, as in ``file, line 3``."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 (byte {error.start}).") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    parser = configparser.RawConfigParser(
        delimiters=("=",), default_section="\0", interpolation=None, empty_lines_in_values=False
    )
    try:
        parser.read_string(text, source=str(path))
    except configparser.Error as error:
        raise ConfigurationError(_syntax_sentence(error, path)) from error
    written: dict[tuple[str, str], tuple[str, str]] = {}
    for section in parser.sections():
        where = f"{path}, line {_line_number(text, section, '')}"
        if section not in SECTIONS:
            raise ConfigurationError(
                f"{where}: there is no section [{section}]. {choices(section, SECTIONS)}"
            )
        for name, value in parser.items(section):
            written[section, name] = (value.strip(), f"{path}, line {_line_number(text, section, name)}")
    _refuse_unknown(written)
    return written


def _refuse_unknown(written: Mapping[tuple[str, str], tuple[str, str]]) -> None:
    known = {(option.section, option.name) for option in OPTIONS}
    auth_type = written.get(("auth", "type"), (TAGWERK, ""))[0]
    for (section, name), (_, where) in written.items():
        if (section, name) in known or (section == "auth" and name in NAME_OPTIONS):
            continue
        if section == "auth" and name in RADICALE_AUTH_OPTIONS:
            if auth_type != TAGWERK:
                continue
            raise ConfigurationError(
                f"{where}: [auth] {name} is an option of Radicale's types and means nothing with type = {TAGWERK}."
            )
        names = [known_name for known_section, known_name in sorted(known) if known_section == section]
        if section == "auth":
            names += sorted(RADICALE_AUTH_OPTIONS if auth_type != TAGWERK else NAME_OPTIONS)
        raise ConfigurationError(
            f"{where}: there is no option {name!r} in [{section}]. {choices(name, names)}"
        )


def _syntax_sentence(error: configparser.Error, path: Path) -> str:
    if isinstance(error, configparser.DuplicateOptionError):
        return f"{path}, line {error.lineno}: [{error.section}] {error.option} is there twice."
    if isinstance(error, configparser.DuplicateSectionError):
        return f"{path}, line {error.lineno}: the section [{error.section}] is there twice."
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"{path}, line {error.lineno}: {error.line.strip()!r} stands before the first [section]."
    if isinstance(error, configparser.ParsingError) and error.errors:
        number, line = error.errors[0]
        return f"{path}, line {number}: {line.strip(chr(39))} is no 'option = value'."
    return f"{path}: {error}"


def _line_number(text: str, section: str, name: str) -> int:
    """The line, from 1, of an option, or of its section's header if `name` is empty."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\[(.+)\]", line):
            inside = header.group(1) == section
            if inside and not name:
                return number
        elif inside and name and line.partition("=")[0].strip().lower() == name:
            return number
    return 0


def _environ_path(environ: Mapping[str, str], name: str) -> Path | None:
    value = environ.get(name, "")
    return _expanded(value, environ) if value else None


def _file_path(text: str, config: Path | None, environ: Mapping[str, str]) -> Path | None:
    if not text or config is None:
        return None
    return config.absolute().parent / _expanded(text, environ)


def _expanded(text: str, environ: Mapping[str, str]) -> Path:
    """`text` as a path, with ``~`` for the home folder."""
    if text == "~" or text.startswith("~/"):
        return _home(environ) / text[2:]
    return Path(text)


def _xdg_data_home(environ: Mapping[str, str]) -> Path:
    """XDG Base Directory 3: a relative path in the variable is to be ignored."""
    value = environ.get("XDG_DATA_HOME", "")
    return Path(value) if value.startswith("/") else _home(environ) / ".local" / "share"


def _home(environ: Mapping[str, str]) -> Path:
    if environ.get("HOME"):
        return Path(environ["HOME"])
    try:
        return Path.home()
    except RuntimeError as error:
        raise ConfigurationError("There is no home folder; say where the data lies with --data.") from error
