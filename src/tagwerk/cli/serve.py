"""`tagwerk serve`: the whole product, in one process or in several."""

from __future__ import annotations

import dataclasses
import errno
import gc
import ipaddress
import signal
import socket
import sys
from collections.abc import Callable
from importlib import metadata
from types import FrameType
from typing import Any

import click
import uvicorn

from tagwerk.cli.invocation import Invocation, common_options, pass_invocation
from tagwerk.cli.logs import configure
from tagwerk.cli.worker import jobs_in_server
from tagwerk.cli.workers import Supervisor
from tagwerk.errors import ConfigurationError, TagwerkError
from tagwerk.http.protocol import BoundedProtocol
from tagwerk.options import TAGWERK
from tagwerk.settings import Settings
from tagwerk.store import Engine
from tagwerk.store.principals import principals

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
@common_options
@pass_invocation
def serve(invocation: Invocation, host: str | None, port: int | None, workers: int | None) -> None:
    """Start the server.

    It makes its data folder and database, prints its URL, and runs until SIGTERM or Ctrl-C.
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
    sockets: list[socket.socket] = []
    try:
        if server.workers == 1:
            _serve_alone(invocation, settings, sockets)
        else:
            _serve_together(invocation, settings, sockets)
    finally:
        for each in sockets:
            each.close()


def _serve_alone(invocation: Invocation, settings: Settings, sockets: list[socket.socket]) -> None:
    """The server in this process."""
    with invocation.engine(settings, create=True) as engine, jobs_in_server(settings, engine):
        sockets += listen(settings.server.host, settings.server.port)
        greeting = _greeting(invocation, settings, engine, sockets)
        _run(_application(settings, engine), sockets, lambda: _say(greeting))


def _serve_together(invocation: Invocation, settings: Settings, sockets: list[socket.socket]) -> None:
    """The server in processes of its own, each with its own connections to the database."""
    with invocation.engine(settings, create=True) as engine:
        sockets += listen(settings.server.host, settings.server.port)
        greeting = _greeting(invocation, settings, engine, sockets)
    # What is imported before the fork is in memory once.
    _frame()
    gc.freeze()

    def work(_number: int, ready: Callable[[], None]) -> None:
        with invocation.engine(settings) as engine, jobs_in_server(settings, engine):
            _run(_application(settings, engine), sockets, ready)

    Supervisor(settings.server.workers, work, lambda: _say(greeting), patience=GRACE_SECONDS + 5.0).run()


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


def _application(settings: Settings, engine: Engine) -> Any:
    """The ASGI application around the frame that the adapters register."""
    from tagwerk.http.app import create
    from tagwerk.http.public import PublicLinks

    try:
        made: Any = _frame()(settings, engine)
    except RuntimeError as error:
        # That is how Radicale says that an option of [auth] is missing or wrong.
        raise ConfigurationError(f"Radicale refuses the settings: {error}.") from error
    return create(settings, made, PublicLinks(settings, engine))


def _frame() -> Any:
    """What makes the frame, from the package that registers it."""
    try:
        (frame,) = metadata.entry_points(group="tagwerk.frame", name="radicale")
    except ValueError as error:
        raise ConfigurationError(
            "The frame for Radicale is not installed; install Tagwerk again with pip."
        ) from error
    return frame.load()


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._announce()


def _run(application: Any, sockets: list[socket.socket], announce: Callable[[], None]) -> None:
    config = uvicorn.Config(
        application,
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
    server = _Server(config, announce)

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # uvicorn has handlers of its own while it runs, and afterwards raises the signal again
    # for whoever was there before: that is us, so that a stop that was asked for is no failure.
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=sockets)
    except SystemExit as error:
        raise TagwerkError("The server could not start; the log says why.") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _greeting(
    invocation: Invocation, settings: Settings, engine: Engine, sockets: list[socket.socket]
) -> list[str]:
    """What is said once the server answers."""
    lines = [f"Tagwerk listens on {url_of(settings, sockets[0])}"]
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
    address, port = listener.getsockname()[:2]
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed.is_unspecified:
        parsed = ipaddress.ip_address("127.0.0.1" if parsed.version == 4 else "::1")
    host = f"[{parsed}]" if parsed.version == 6 else str(parsed)
    return f"http://{host}:{port}{settings.server.base_path}/"
