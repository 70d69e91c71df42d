"""Radicale's folder (its own storage, versions 2 and 3), and what its settings say about it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from tagwerk.accounts.passwords import Cost, hash_password, is_known
from tagwerk.errors import ConfigurationError
from tagwerk.migration import radicalefolder, radicalesettings, radicaleshares, rights
from tagwerk.migration.radicalesettings import RadicaleSettings
from tagwerk.migration.rights import Rights
from tagwerk.migration.source import (
    Left,
    Source,
    SourceCollection,
    SourceShare,
    SourceUser,
    expect_users,
)

_LITERAL = re.compile(r"[\w@.\\-]+")
"""A pattern for one user."""


def read(
    folder: Path,
    *,
    config: Path | None = None,
    htpasswd: Path | None = None,
    plain: bool = False,
    rights_file: Path | None = None,
    only: tuple[str, ...] = (),
    cost: Cost,
) -> Source:
    """What Radicale has in its `filesystem_folder`; `htpasswd` and `rights_file` go before its settings.

    Raises:
        ConfigurationError: it is no such folder, one of the files cannot be read, or somebody in `only` is unknown.
    """
    left = Left()
    homes = radicalefolder.homes(folder, Left() if only else left)
    settings = radicalesettings.read(folder, config, left)
    if rights_file is not None:
        settings = replace(settings, rights="from_file", rights_file=rights_file)
    encryption = "plain" if plain else "" if htpasswd else settings.encryption
    htpasswd = htpasswd or settings.htpasswd
    passwords = {} if htpasswd is None else _passwords(htpasswd, left, encryption=encryption, cost=cost)
    names = list(dict.fromkeys([*(home.name for home in homes), *passwords]))
    users = [SourceUser(name, password_hash=passwords.get(name)) for name in names if _is_meant(name, only)]
    found = [
        each
        for home in homes
        for each in radicalefolder.collections(home, left if _is_meant(home.name, only) else Left())
    ]
    shares = _shares(settings, found, names, left)
    expect_users(only, names, shares)
    return Source(
        users,
        [each for each in found if _is_meant(each.owner, only)],
        left,
        shares=[each for each in shares if _is_meant(each.owner, only) or each.grantee in only],
    )


def _is_meant(name: str, only: tuple[str, ...]) -> bool:
    return not only or name in only


def _passwords(path: Path, left: Left, *, encryption: str, cost: Cost) -> dict[str, str | None]:
    """The users of the file, with hashes where they can be verified."""
    found: dict[str, str | None] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    for line in lines:
        name, colon, stored = line.partition(":")
        if not colon or name.startswith("#"):
            continue
        known = encryption != "plain" and is_known(stored.strip())
        if known:
            found[name] = stored.strip()
        elif encryption == "plain" or (encryption == "autodetect" and stored[:1] not in ("$", "{")):
            found[name] = hash_password(stored, cost)
        else:
            found[name] = None
            left.say(
                f"The password of {name} is stored in a way that cannot be verified here; set a new one."
            )
    return found


def _shares(
    settings: RadicaleSettings, found: list[SourceCollection], users: list[str], left: Left
) -> list[SourceShare]:
    """What the rights and Radicale's own sharing let others do; the most of it where both do."""
    given, named = _rights(settings, left)
    everybody = [*users, *(name for name in named if name not in users)]
    shares = list(rights.shares(given, found, everybody, left))
    if settings.shares is not None:
        rows = radicaleshares.rows(settings.shares)
        shares += radicaleshares.shares(rows, found, users, groups=settings.groups, rights=given, left=left)
    most: dict[tuple[str, str, str | None], SourceShare] = {}
    for share in shares:
        key = (share.owner, share.name, share.grantee)
        before = most.get(key)
        # What was shared on purpose has a name and a colour, and comes last.
        if before is None or (before.access and share.access and share.access.rank >= before.access.rank):
            most[key] = share
    return list(most.values())


def _rights(settings: RadicaleSettings, left: Left) -> tuple[Rights, list[str]]:
    """What everybody may do, and users whom a rule names."""
    if settings.rights_file is not None:
        given, rules = rights.of_file(settings.rights_file, settings.groups)
        for rule in rules:
            if rule.groups and not settings.groups:
                left.say(
                    f"rights, [{rule.name}]: who is in {', '.join(sorted(rule.groups))} is not known here."
                )
        return given, [rule.user for rule in rules if _LITERAL.fullmatch(rule.user)]
    built_in = rights.of_type(settings.rights)
    if built_in is None:
        left.say(
            f"The rights were those of {settings.rights}, which is not known here; nothing is shared by them."
        )
    return built_in or rights.of_type("owner_only") or (lambda _user, _path: ""), []
