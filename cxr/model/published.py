"""ImageNet weights that Keras publishes: one file for a backbone and width, kept where Keras keeps its own downloads."""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from filelock import FileLock

from cxr.errors import UserError
from cxr.model.backbone import Published
from cxr.system import expanded

_ADDRESS = "https://storage.googleapis.com/tensorflow/keras-applications"
_TIMEOUT = 10  # seconds in which a server has to answer or to send more


def cached_file(published: Published, alpha: float) -> Path:
    """Where the file of a width is after a download, whether it is there or not."""
    home = expanded(os.environ.get("KERAS_HOME", "~/.keras"))
    return home / "models" / published.file.format(alpha=float(alpha))


def is_whole(file: Path, published: Published, check: Callable[[Path], None]) -> bool:
    """Whether a file is there, has the published hash, and passes `check`.

    Args:
        check: raises a `UserError` for a file that does not fit.

    Raises:
        UserError: The file can't be read.
    """
    try:
        _verify(file, published, check)
    except (FileNotFoundError, UserError):
        return False
    except OSError as error:
        raise UserError(f"{file} can't be read ({error.strerror}): make it readable, or give backbone.weights=FILE") from None
    return True


def download(published: Published, alpha: float, check: Callable[[Path], None]) -> Path:
    """Download the file of a width, unless another process has done so meanwhile.

    It is written under a temporary name, verified, and then moved, so one that is cut off leaves nothing that is taken for weights.

    Raises:
        UserError: It can't be had, or is another file than the published one.
    """
    file = cached_file(published, alpha)
    address, part = f"{_ADDRESS}/{published.folder}/{file.name}", file.with_name(f"part-{file.name}")
    remedy = f"try again, or download {address} elsewhere and put it there, or give backbone.weights=FILE"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f"{file.name}.lock")):
            if not is_whole(file, published, check):
                try:
                    _fetch(address, part)
                    _verify(part, published, check)
                    part.replace(file)
                except UserError as error:
                    raise UserError(
                        f"backbone.weights=imagenet got another file than the published one ({error}): {remedy}"
                    ) from None
                finally:
                    part.unlink(missing_ok=True)
    except (OSError, HTTPException) as error:
        raise UserError(f"backbone.weights=imagenet needs a network once, and {file} can't be had ({error}): {remedy}") from None
    return file


def _verify(file: Path, published: Published, check: Callable[[Path], None]) -> None:
    with file.open("rb") as content:
        kind = "sha256" if len(published.digest) == 64 else "md5"
        digest = hashlib.file_digest(content, kind).hexdigest() if published.digest else ""
    if digest != published.digest:
        raise UserError(f"its hash is {digest} in place of {published.digest}")
    check(file)


def _fetch(address: str, part: Path) -> None:
    with urlopen(address, timeout=_TIMEOUT) as answer, part.open("wb") as content:  # noqa: S310 (https, see above)
        length = int(answer.headers.get("Content-Length", 0))
        print(f"cxr: downloading ImageNet weights once, {length / 1e6:.0f} MB: {address}", file=sys.stderr, flush=True)
        shutil.copyfileobj(answer, content)
    if part.stat().st_size < length:
        raise OSError(f"the connection broke after {part.stat().st_size:,} of {length:,} bytes")
