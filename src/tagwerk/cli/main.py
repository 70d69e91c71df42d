"""The command `tagwerk`: its commands, and the place where every error becomes a sentence."""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from tagwerk import __version__
from tagwerk.cli.app_password import app_password
from tagwerk.cli.backup import backup, restore
from tagwerk.cli.check import check
from tagwerk.cli.collection import collection
from tagwerk.cli.delegate import delegate
from tagwerk.cli.doctor import doctor
from tagwerk.cli.exports import export
from tagwerk.cli.group import group, resource, room
from tagwerk.cli.history import history, trash, undo
from tagwerk.cli.imports import import_
from tagwerk.cli.invocation import common_options
from tagwerk.cli.jobs import jobs
from tagwerk.cli.maintenance import maintenance
from tagwerk.cli.migrate import migrate
from tagwerk.cli.onboard import onboard
from tagwerk.cli.printed import options
from tagwerk.cli.serve import serve
from tagwerk.cli.share import share
from tagwerk.cli.totp import totp
from tagwerk.cli.transfer import transfer
from tagwerk.cli.user import user
from tagwerk.cli.version import version
from tagwerk.cli.worker import worker
from tagwerk.errors import TagwerkError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="tagwerk %(version)s", help="Show the version and exit.")
@common_options
def tagwerk() -> None:
    """A CalDAV and CardDAV server.

    `tagwerk serve` starts it, `tagwerk user add NAME` adds a user; nothing has to be configured before.
    """


for command in (
    serve,
    worker,
    user,
    app_password,
    totp,
    onboard,
    group,
    room,
    resource,
    collection,
    trash,
    history,
    undo,
    share,
    delegate,
    import_,
    export,
    migrate,
    check,
    backup,
    restore,
    transfer,
    jobs,
    maintenance,
    doctor,
    options,
    version,
):
    tagwerk.add_command(command)


class Terminated(BaseException):
    """SIGTERM: what a command has begun is put away before it ends."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 not done, 2 not understood, 130 interrupted, 143 terminated."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has gone, as in `tagwerk user list | head -1`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    finally:
        signal.signal(signal.SIGTERM, before)
    sys.exit(code)


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    # Once is enough: a second one must not interrupt what is being put away.
    signal.signal(number, signal.SIG_IGN)
    raise Terminated


def _run(arguments: Sequence[str] | None) -> int:
    try:
        result = tagwerk.main(args=arguments, prog_name="tagwerk", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        # "No" to a question, and Ctrl-C or the end of the input instead of an answer.
        return _failed("Nothing was done.")
    except KeyboardInterrupt:
        return _failed("Interrupted; what was done before stays.", 130)
    except Terminated:
        return _failed("Ended; what was done before stays.", 143)
    except TagwerkError as error:
        return _failed(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        place = f"{click.format_filename(error.filename)}: " if error.filename else ""
        return _failed(f"{place}{error.strerror or error}.")
    except MemoryError:
        return _failed("There is not enough memory for this.")
    except Exception as error:
        return _failed(_bug(error), 70)
    return result if isinstance(result, int) else 0


def _failed(sentence: str, code: int = 1) -> int:
    click.echo(f"tagwerk: {sentence}", err=True)
    return code


def _bug(error: Exception) -> str:
    """What to report about a mistake of ours; the whole story is one variable away."""
    if os.environ.get("TAGWERK_TRACEBACK"):
        click.echo("".join(traceback.format_exception(error)), err=True)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(frame.filename)}, line {frame.lineno}"
    return (
        f"This should not have happened: {type(error).__name__}: {error} ({place})."
        " Please report it with what TAGWERK_TRACEBACK=1 adds."
    )


if __name__ == "__main__":
    main()
