"""What `tagwerk doctor` finds on this machine: permissions, database, backups, certificate, clock, DNS."""

from __future__ import annotations

import glob
import ipaddress
import os
import shutil
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from tagwerk.accounts import oidc
from tagwerk.cli.findings import Finding, note, ok, wrong
from tagwerk.cli.invocation import Invocation
from tagwerk.cli.maintenance import newest_backup
from tagwerk.cli.table import counted
from tagwerk.errors import ConfigurationError, Unavailable
from tagwerk.http import tls
from tagwerk.settings import Settings
from tagwerk.store import Engine
from tagwerk.store.address import is_postgresql, shown, sqlite_path
from tagwerk.store.check import newest_change

DAY = 24 * 60 * 60
LEAST_FREE = 512 * 1024 * 1024
BUILT = 1_767_225_600
"""2026-01-01: a clock before that stands."""


def permissions(settings: Settings) -> Iterator[Finding]:
    """Who can read the data, and whether there is room."""
    folder, files = settings.storage.data, _database_files(settings)
    if not folder.is_dir():
        yield note("permissions", f"There is no data folder {folder}.", "`tagwerk serve` makes it.")
    places = [folder, *files] if folder.is_dir() else files
    if not places:
        return
    # Whose data they are: what belongs to root is not the service's, also where root looks.
    whose = places[0]
    owner = whose.stat().st_uid
    for path in places:
        found = path.stat()
        if stat.S_IMODE(found.st_mode) & 0o077:
            right = "700" if path.is_dir() else "600"
            yield wrong(
                "permissions", f"Others on this machine can look into {path}.", f"chmod {right} {path}"
            )
        elif found.st_uid != owner:
            yield wrong(
                "permissions",
                f"{path} belongs to somebody else than {whose}.",
                f"chown --reference={whose} {path}",
            )
        else:
            yield ok("permissions", f"{path} is its owner's alone.")
    if os.geteuid() not in (0, owner):
        yield wrong("permissions", f"{whose} belongs to another user.", "Run this as the user of the server.")
    for place in dict.fromkeys(path if path.is_dir() else path.parent for path in places):
        free = shutil.disk_usage(place).free
        if free < LEAST_FREE:
            yield wrong(
                "disk",
                f"{free:,} bytes are free at {place}.",
                "Make room before writes are refused with 507.",
            )
        else:
            yield ok("disk", f"{free // 1024**2:,} MiB are free at {place}.")


def _database_files(settings: Settings) -> list[Path]:
    """SQLite's file and those beside it, where the database is one."""
    if is_postgresql(settings.storage.database_url):
        return []
    path = sqlite_path(settings.storage.database_url)
    return sorted(path.parent.glob(f"{glob.escape(path.name)}*")) if path.is_file() else []


def secrets_of(settings: Settings, config: Path | None) -> Iterator[Finding]:
    """Whether everybody on this machine can read what only the server needs."""
    keys = [
        settings.tls.key or settings.tls.certificate,
        settings.onboarding.key or settings.onboarding.certificate,
    ]
    files = [path for path in keys if path is not None]
    if config is not None and any("secret" in name for name in settings.auth.extra):
        files.append(config)
    for path in dict.fromkeys(files):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o007:
            yield wrong(
                "permissions", f"Everybody on this machine can read the secret in {path}.", f"chmod o= {path}"
            )


def database(engine: Engine, settings: Settings) -> Iterator[Finding]:
    """Whether the database is sound and backed up, and the clock fits it."""
    problems = engine.check()
    for problem in problems:
        yield wrong(
            "database",
            problem,
            "Stop the server and put the newest backup back that `tagwerk check` finds good.",
        )
    if not problems:
        yield ok("database", f"{shown(settings.storage.database_url)} is sound.")
    with engine.read() as txn:
        newest = newest_change(txn)
    now = time.time()
    if now < BUILT or newest > now + 300:
        yield wrong(
            "clock",
            f"The clock says {_instant(now)}, and something changed at {_instant(newest)}.",
            "Set the clock (timedatectl set-ntp true): certificates, tokens and retention depend on it.",
        )
    else:
        yield ok("clock", f"The clock says {_instant(now)}.")
    folder = settings.maintenance.backup_folder
    if folder.exists() and not (folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK)):
        why = "cannot be written by this user" if folder.is_dir() else "is no folder"
        yield wrong(
            "backup",
            f"[maintenance] backup_folder {folder} {why}.",
            "Name a folder that the server can write.",
        )
        return
    backup = newest_backup(folder)
    if backup is None:
        yield note(
            "backup",
            f"There is no backup in {folder}.",
            "Enable tagwerk-maintenance.timer, or run `tagwerk maintenance` every day.",
        )
    elif backup.stat().st_mtime < now - 2 * DAY:
        days = int((now - backup.stat().st_mtime) / DAY)
        yield wrong(
            "backup", f"The newest backup is {days} days old.", "See why tagwerk-maintenance.service fails."
        )
    else:
        yield ok("backup", f"The newest backup is {backup}.")


def source(invocation: Invocation) -> Finding:
    """Which file the settings come from."""
    path = invocation.config_path()
    if path is not None:
        return ok("configuration", f"Every option in {path} is understood.")
    if invocation.unreadable():
        return wrong(
            "configuration",
            f"{invocation.machine} was not read: this user may not.",
            "Run this as the user of the server, or name the file that it reads with --config.",
        )
    return ok("configuration", "No file was read: every option has its default.")


def configuration(settings: Settings) -> Iterator[Finding]:
    """What the settings allow that nobody wants."""
    server, auth = settings.server, settings.auth
    outside = not _is_loopback(server.host)
    if auth.type == "none":
        level = wrong if outside else note
        yield level(
            "configuration", "[auth] type = none lets everybody in as anybody.", "Choose another type."
        )
    for network in server.trusted_proxies:
        if network != "unix" and ipaddress.ip_network(network).prefixlen < 8:
            yield wrong(
                "configuration",
                f"[server] trusted_proxies trusts {network}: nearly everybody may say who they are.",
                "Name the addresses of your proxies.",
            )
    if auth.type.endswith("remote_user") and outside:
        yield note(
            "configuration",
            f"A proxy names the users, and the server listens on {server.host}.",
            "Let it listen on 127.0.0.1, or see that only the proxy reaches it.",
        )
    if outside and settings.tls.certificate is None:
        yield note(
            "configuration",
            f"It listens on {server.host} without TLS: passwords cross the network in the clear.",
            "Set [tls] certificate, or listen on 127.0.0.1 behind a proxy.",
        )
    if not (auth.throttle_failures and auth.throttle_address_failures):
        yield note(
            "configuration", "Guessing passwords is not throttled.", "Set [auth] throttle_failures again."
        )
    if settings.tls.certificate is not None:
        yield from _certificate(settings, settings.tls.certificate)


def provider(settings: Settings) -> Iterator[Finding]:
    """Whether the OpenID Connect provider tells its keys."""
    try:
        verifier = oidc.verifier(settings.auth)
        if verifier is not None:
            keys = verifier.ask()
            yield ok("oidc", f"{settings.auth.oidc_issuer} tells {counted(keys, 'key')}.")
    except ConfigurationError as error:
        yield wrong("oidc", str(error), "docs/options.md has every option.")
    except Unavailable as error:
        yield wrong("oidc", str(error), "See [auth] oidc_issuer, and whether this machine reaches it.")


def records(domain: str, nameserver: str) -> Iterator[Finding]:
    """The SRV and TXT records of RFC 6764 for a domain."""
    # Large, and of no use to every other command.
    import dns.exception
    import dns.resolver

    resolver = dns.resolver.Resolver(configure=not nameserver)
    resolver.lifetime = 5
    if nameserver:
        host, _, port = nameserver.rpartition(":") if nameserver.count(":") == 1 else (nameserver, "", "53")
        resolver.nameservers, resolver.port = [host], int(port)
    for service in ("caldavs", "carddavs"):
        name = f"_{service}._tcp.{domain}"
        try:
            found = [
                (rdata.priority, rdata.port, str(rdata.target).rstrip("."))
                for rdata in resolver.resolve(name, "SRV")
            ]
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            yield note(
                "dns",
                f"There is no record {name}.",
                f"Publish {name}. IN SRV 0 1 443 HOST. (config/dns.zone), so that an address is all that people enter.",
            )
            continue
        except (dns.exception.DNSException, OSError, ValueError) as error:
            yield wrong("dns", f"{name} cannot be looked up: {error}", "See whether the name server answers.")
            return
        places = ", ".join(f"{target}:{port}" for _, port, target in sorted(found))
        if any(not target for _, _, target in found):
            yield wrong(
                "dns", f"{name} says that there is no such service.", 'Only the records without "s" are ".".'
            )
        else:
            yield ok("dns", f"{name} leads to {places}.")


def _certificate(settings: Settings, path: Path) -> Iterator[Finding]:
    try:
        tls.context(settings.tls)
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (ConfigurationError, OSError, ValueError) as error:
        yield wrong("certificate", str(error), "Give [tls] certificate and key a pair that fits.")
        return
    yield expiry(certificate, "certificate")


def expiry(certificate: x509.Certificate, area: str) -> Finding:
    """Whether a certificate lasts."""
    left = (certificate.not_valid_after_utc - datetime.now(UTC)).total_seconds()
    if left < 0:
        return wrong(
            area, "The certificate has expired.", "Renew it, then `systemctl reload tagwerk` or the proxy."
        )
    if left < 14 * DAY:
        return note(
            area, f"The certificate lasts {int(left / DAY)} more days.", "See whether its renewal works."
        )
    return ok(area, f"The certificate lasts until {certificate.not_valid_after_utc:%Y-%m-%d}.")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
