"""Files that cannot be unpacked or parsed: the words of other libraries become an error at the file."""

from __future__ import annotations

import csv
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from gatecast.base.errors import DataError
from gatecast.base.text import first_line


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Errors of unpacking and parsing in the block, as errors at the file.

    Args:
        name: of the file.

    Raises:
        DataError: the file is cut off, damaged, or of another kind than its name says.
    """
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise _damaged(name, error) from error
    except csv.Error as error:
        problem = f"a cell is too long ({first_line(error)})"
        remedy = "a quotation mark may lack its end: correct it, or leave out the column of long texts"
        raise DataError(problem, remedy, place=name) from error
    except OSError as error:
        if error.errno is not None:  # of the system: the file is missing, a folder, not ours to read
            raise
        raise _damaged(name, error) from error
    except ValueError as error:
        if not type(error).__module__.startswith("pyarrow"):
            raise
        raise DataError(
            "this is no Parquet file, or it is damaged",
            "copy it again; a text table is named .csv",
            place=name,
        ) from error


def _damaged(name: str, error: Exception) -> DataError:
    problem = f"the file is damaged or cut off ({first_line(error)})"
    return DataError(problem, "copy it again, or unpack what can be saved of it", place=name)
