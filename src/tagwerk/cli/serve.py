"""`tagwerk serve`: the whole product, in one process or in several."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import gc
import ipaddress
import logging
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from importlib import metadata
from types import FrameType
from typing import Any

import click
import uvicorn

from tagwerk.cli.invocation import Invocation, common_options, make_private_folder, pass_invocation
from tagwerk.cli.logs import configure
from tagwerk.cli.service_manager import ServiceManager
from tagwerk.cli.worker import jobs_in_server
from tagwerk.cli.workers import Supervisor
from tagwerk.errors import ConfigurationError, TagwerkError
from tagwerk.http import tls
from tagwerk.http.protocol import BoundedProtocol
from tagwerk.http.tally import Tally
from tagwerk.options import TAGWERK
from tagwerk.settings import Settings
from tagwerk.store import Engine
from tagwerk.store.observed import ObservedEngine
from tagwerk.store.principals import principals

_LOGGER = logging.getLogger("tagwerk.serve")

ACCEPT_SECONDS = 0.05

GRACE_SECONDS = 10
"""How long running requests may take to finish after SIGTERM."""

KEEP_ALIVE_SECONDS = 75
"""Longer than the 60 s for which proxies keep a connection, so that they never write into a closed one."""


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address or name to listen on, instead of 127.0.0.1.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of 5232; 0: a free one."
)
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that answer requests, instead of 1.")
@click.option(
    "--self-signed",
    is_flag=True,
    help="HTTPS with a certificate of its own, for trying it in a network you trust.",
)
@common_options
@pass_invocation
def serve(
    invocation: Invocation, host: str | None, port: int | None, workers: int | None, self_signed: bool
) -> None:
    """Start the server.

    It makes its data folder and database, prints its URL, and runs until SIGTERM or Ctrl-C. SIGHUP makes it read
    its certificate again.
    """
    settings = invocation.settings()
    server = settings.server
    server = dataclasses.replace(
        server,
        host=host or server.host,
        port=server.port if port is None else port,
        workers=workers or server.workers,
    )
    settings = dataclasses.replace(settings, server=server)
    configure(settings.logging)
    manager = ServiceManager()
    sockets: list[socket.socket] = []
    # Until it listens, nothing has to be finished.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if server.workers == 1:
            _serve_alone(invocation, settings, sockets, manager, self_signed=self_signed)
        else:
            _serve_together(invocation, settings, sockets, manager, self_signed=self_signed)
    finally:
        signal.signal(signal.SIGTERM, before)
        for each in sockets:
            each.close()


def _serve_alone(
    invocation: Invocation,
    settings: Settings,
    sockets: list[socket.socket],
    manager: ServiceManager,
    *,
    self_signed: bool,
) -> None:
    """The server in this process."""
    with invocation.engine(settings, create=True) as engine, jobs_in_server(settings, engine):
        settings = _with_certificate(settings, self_signed=self_signed)
        encryption = _encryption(settings)
        sockets += _sockets(settings, manager)
        greeting = _greeting(invocation, settings, engine, sockets, self_signed=self_signed)
        _run(
            _application(settings, engine, Tally()),
            sockets,
            lambda: _say(greeting),
            manager=manager,
            encryption=encryption,
            reload=lambda: _reload(settings, encryption),
        )


def _serve_together(
    invocation: Invocation,
    settings: Settings,
    sockets: list[socket.socket],
    manager: ServiceManager,
    *,
    self_signed: bool,
) -> None:
    """The server in processes of its own, each with its own connections to the database."""
    with invocation.engine(settings, create=True) as engine:
        settings = _with_certificate(settings, self_signed=self_signed)
        _encryption(settings)  # Wrong files are said before anything is started.
        sockets += _sockets(settings, manager)
        greeting = _greeting(invocation, settings, engine, sockets, self_signed=self_signed)
    # What is imported before the fork is in memory once.
    _frame()
    gc.freeze()

    # What a worker counts is seen by all of them, and outlives it.
    tally = Tally(settings.server.workers)

    def work(number: int, ready: Callable[[], None]) -> None:
        encryption = _encryption(settings)
        with invocation.engine(settings) as engine, jobs_in_server(settings, engine):
            _run(
                _application(settings, engine, tally, number),
                sockets,
                ready,
                manager=None,
                encryption=encryption,
                reload=lambda: _reload(settings, encryption),
            )

    def announce() -> None:
        _say(greeting)
        manager.notify("READY=1")

    patience = GRACE_SECONDS + 5.0
    Supervisor(settings.server.workers, work, announce, patience=patience, manager=manager).run()


def _with_certificate(settings: Settings, *, self_signed: bool) -> Settings:
    """The settings with a certificate of the server's own, if that is asked for."""
    if not self_signed:
        return settings
    make_private_folder(settings.storage.data)  # A database elsewhere needs none.
    host = settings.server.host
    names = [*tls.local_hosts(), *([] if _is_any(host) else [host])]
    return dataclasses.replace(settings, tls=tls.self_signed(settings.storage.data, names))


def _encryption(settings: Settings) -> ssl.SSLContext | None:
    return tls.context(settings.tls) if settings.tls.certificate or settings.tls.key else None


def _sockets(settings: Settings, manager: ServiceManager) -> list[socket.socket]:
    """Where the server listens; what the service manager listens on for it comes first."""
    server, observe = settings.server, settings.observe
    sockets = manager.listening_sockets() or listen(server.host, server.port)
    if observe.port:
        try:
            sockets += listen(observe.host, observe.port)
        except ConfigurationError:
            for each in sockets:
                each.close()
            raise
    return sockets


def _is_any(host: str) -> bool:
    return host.strip("[]") in ("0.0.0.0", "::")  # noqa: S104


def _reload(settings: Settings, encryption: ssl.SSLContext | None) -> None:
    if encryption is None:
        _LOGGER.info("SIGHUP: there is no certificate to read again.")
        return
    try:
        tls.load(encryption, settings.tls)
    except ConfigurationError as error:
        _LOGGER.error("SIGHUP: the old certificate stays. %s", error)
    else:
        _LOGGER.info("SIGHUP: the certificate was read again.")


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address that `host` names, all on the same port.

    Raises:
        ConfigurationError: the name is unknown, or the port cannot be had.
    """
    try:
        found = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigurationError(f"{host!r} is neither an address nor a name that is known here.") from error
    sockets: list[socket.socket] = []
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            listener = socket.create_server((address[0], port), family=family, backlog=2048)
        except OSError as error:
            if sockets and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                # "localhost" may name ::1 where IPv6 is switched off.
                continue
            for each in sockets:
                each.close()
            raise ConfigurationError(_listen_sentence(error, host, port)) from error
        port = port or listener.getsockname()[1]
        sockets.append(listener)
    return sockets


def _listen_sentence(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is in use; stop what listens there, or take another with --port."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"This user may not listen on port {port} of {host}; ports below 1024 are for root."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine."
    return f"Cannot listen on port {port} of {host}: {error.strerror or error}."


def _application(settings: Settings, engine: Engine, tally: Tally, number: int = 0) -> Any:
    """The ASGI application around the frame that the adapters register; `number` is this process' in `tally`."""
    from tagwerk.http.app import create
    from tagwerk.http.metrics import Metrics
    from tagwerk.http.observer import Observer
    from tagwerk.http.public import PublicLinks

    metrics = Metrics(tally, number)
    metrics.starts.add()
    watched = ObservedEngine(engine, lambda mode, seconds: metrics.waits.add(seconds, mode))
    try:
        made: Any = _frame()(settings, watched)
    except RuntimeError as error:
        # That is how Radicale says that an option of [auth] is missing or wrong.
        raise ConfigurationError(f"Radicale refuses the settings: {error}.") from error
    application = create(settings, made, PublicLinks(settings, watched), watched)
    return Observer(application, settings, engine, metrics)


def _frame() -> Any:
    """What makes the frame, from the package that registers it."""
    try:
        (frame,) = metadata.entry_points(group="tagwerk.frame", name="radicale")
    except ValueError as error:
        raise ConfigurationError(
            "The frame for Radicale is not installed; install Tagwerk again with pip."
        ) from error
    return frame.load()


class _Config(uvicorn.Config):
    """uvicorn's, with a TLS context that is ours and can be changed while it is used."""

    def __init__(self, application: Any, encryption: ssl.SSLContext | None, **options: Any) -> None:
        super().__init__(application, **options)
        self._encryption = encryption

    def load(self) -> None:
        super().load()
        self.ssl = self._encryption


class _Server(uvicorn.Server):
    """Says where it listens once it does, and to its service manager that it lives."""

    def __init__(
        self, config: uvicorn.Config, announce: Callable[[], None], manager: ServiceManager | None
    ) -> None:
        super().__init__(config)
        self._announce, self._manager = announce, manager
        self._pause = manager.watchdog_seconds() if manager else 0.0
        self._next_sign = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._announce()
            self._notify("READY=1")

    async def on_tick(self, counter: int) -> bool:
        # Called in the event loop: if that hangs, no sign is given.
        if self._pause and time.monotonic() >= self._next_sign:
            self._next_sign = time.monotonic() + self._pause
            self._notify("WATCHDOG=1")
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._notify("STOPPING=1")
        for server in self.servers:
            server.close()
        # What was accepted a moment ago becomes a connection, which uvicorn then waits for.
        await asyncio.sleep(ACCEPT_SECONDS)
        await super().shutdown(sockets=sockets)

    def _notify(self, state: str) -> None:
        if self._manager is not None:
            self._manager.notify(state)


def _run(
    application: Any,
    sockets: list[socket.socket],
    announce: Callable[[], None],
    *,
    manager: ServiceManager | None,
    encryption: ssl.SSLContext | None,
    reload: Callable[[], None],
) -> None:
    """Serve until a signal ends it; `manager` is told unless somebody else tells it."""
    config = _Config(
        application,
        encryption,
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config, announce, manager)

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        reload()

    # uvicorn has handlers of its own while it runs, and afterwards raises the signal again
    # for whoever was there before: that is us, so that a stop that was asked for is no failure.
    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGHUP: hang_up}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        server.run(sockets=sockets)
    except SystemExit as error:
        raise TagwerkError("The server could not start; the log says why.") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _greeting(
    invocation: Invocation,
    settings: Settings,
    engine: Engine,
    sockets: list[socket.socket],
    *,
    self_signed: bool,
) -> list[str]:
    """What is said once the server answers."""
    lines = [f"Tagwerk listens on {url_of(settings, sockets[0])}"]
    if self_signed and settings.tls.certificate is not None:
        if _is_any(settings.server.host):
            port = sockets[0].getsockname()[1]
            for host in tls.local_hosts()[3:]:
                shown = f"[{host}]" if ":" in host else host
                lines.append(f"In this network: https://{shown}:{port}{settings.server.base_path}/")
        lines.append(f"SHA-256 of its certificate: {tls.fingerprint(settings.tls.certificate)}")
    if settings.auth.type == TAGWERK:
        with engine.read() as txn:
            nobody = next(iter(principals(txn)), None) is None
        if nobody:
            lines.append("There is no user yet. This adds one:")
            lines.append(f"  {invocation.command('user', 'add', 'NAME')}")
    return lines


def _say(lines: list[str]) -> None:
    for line in lines:
        click.echo(line)
    sys.stdout.flush()


def url_of(settings: Settings, listener: socket.socket) -> str:
    """The URL that reaches a listening socket from this machine."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    scheme = "http" if settings.tls.certificate is None else "https"
    address, port = listener.getsockname()[:2]
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed.is_unspecified:
        parsed = ipaddress.ip_address("127.0.0.1" if parsed.version == 4 else "::1")
    host = f"[{parsed}]" if parsed.version == 6 else str(parsed)
    return f"{scheme}://{host}:{port}{settings.server.base_path}/"
