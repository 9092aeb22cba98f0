"""The decoder of compressed DICOM pixels: imagecodecs, as a plugin of pydicom."""

from typing import Any

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.pixels.decoders.base import get_decoder

PLUGIN = "cxr"
_DECODERS: dict[Any, Any] = {
    **dict.fromkeys((uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1), "jpeg8_decode"),
    **dict.fromkeys((uid.JPEGLSLossless, uid.JPEGLSNearLossless), "jpegls_decode"),
    **dict.fromkeys((uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K), "jpeg2k_decode"),
}
DECODER_DEPENDENCIES = dict.fromkeys(_DECODERS, ("imagecodecs",))  # pydicom looks for this name


def is_available(syntax: str) -> bool:
    """Whether this decodes a transfer syntax; pydicom calls it."""
    return syntax in _DECODERS


def decode_frame(frame: bytes, runner: Any) -> bytes:
    """One frame's pixels in the machine's order of bytes; pydicom calls it. Signed ones are extended to their whole width."""
    pixels = getattr(imagecodecs, _DECODERS[runner.transfer_syntax])(frame)
    width = 8 * pixels.itemsize
    if runner.pixel_representation == 1 and pixels.dtype.kind == "u":
        spare = width - min(runner.bits_stored, width)
        pixels = (pixels << spare).view(f"i{pixels.itemsize}") >> spare
    runner.set_option("bits_allocated", width)
    return bytes(np.ascontiguousarray(pixels).data)


def register() -> None:
    """Add this decoder to pydicom's, once."""
    for syntax in _DECODERS:
        decoder = get_decoder(syntax)
        if PLUGIN not in decoder.available_plugins:
            decoder.add_plugin(PLUGIN, (__name__, decode_frame.__name__))
