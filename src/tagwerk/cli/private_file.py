"""Files that hold what is one person's: whole or not there, and for their owner alone."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tagwerk.errors import ConfigurationError


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """What is written in the block takes the place of `path` at its end, unless it raises; with mode 0600.

    A device or a pipe is written as it is.

    Raises:
        ConfigurationError: there is no folder to write it into.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as device:
            yield device
        return
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise ConfigurationError(f"There is no folder {path.parent} to write {path.name} into.")
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
