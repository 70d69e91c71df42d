"""Passwords as a command line takes them: typed twice, or one line of standard input."""

from __future__ import annotations

import sys

import click

from tagwerk.cli.invocation import on_terminal
from tagwerk.errors import InvalidRequest

password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from one line of standard input."
)


def new_password(name: str, *, from_stdin: bool) -> str:
    """The password that somebody types twice, or the first line of standard input without its end."""
    if not from_stdin:
        if not on_terminal():
            raise click.UsageError(
                "There is no terminal to ask for the password; write it to standard input with --password-stdin."
            )
        answer: str = click.prompt(
            f"Password for {name}", hide_input=True, confirmation_prompt="Once more", err=True
        )
        return answer
    line = sys.stdin.buffer.readline()
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidRequest("The password on standard input is not UTF-8.") from error
