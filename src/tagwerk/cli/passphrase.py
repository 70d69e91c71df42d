"""Passwords that commands ask for: on a terminal, or from standard input."""

from __future__ import annotations

import sys

import click

from tagwerk.cli.invocation import on_terminal
from tagwerk.errors import InvalidRequest

password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from one line of standard input."
)


def on_terminal_or_stdin(question: str, *, twice: bool = False) -> str:
    """What somebody types.

    Raises:
        click.UsageError: there is no terminal.
    """
    if not on_terminal():
        raise click.UsageError(
            "There is no terminal to ask for the password; write it to standard input with --password-stdin."
        )
    answer: str = click.prompt(
        question, hide_input=True, confirmation_prompt="Once more" if twice else False, err=True
    )
    return answer


def first_line() -> str:
    """The first line of standard input without its end.

    Raises:
        InvalidRequest: it is not UTF-8.
    """
    line = sys.stdin.buffer.readline()
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidRequest("The password on standard input is not UTF-8.") from error


def new_password(name: str, *, from_stdin: bool) -> str:
    """The password that somebody types twice, or the first line of standard input without its end."""
    return first_line() if from_stdin else on_terminal_or_stdin(f"Password for {name}", twice=True)
