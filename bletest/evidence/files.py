"""Writing files so that nobody ever sees half of one."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile


def write_atomically(path: Path, octets: bytes) -> None:
    """Replace ``path`` by a file that holds ``octets``; on any trouble the old one stays.

    Raises :class:`OSError`. The directory must exist.
    """
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
        try:
            part.write(octets)
            part.flush()
            # Temporary files are private; a report is as readable as any file one writes.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(part.name, 0o666 & ~mask)
            os.replace(part.name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(part.name)
            raise
