"""Images and bodies that are small to send and large to take in, or lie about what they hold."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from typing import Any

from PIL import Image, ImageDraw

FORM = "multipart/form-data; boundary=x"
JSON = "application/json"
#: So much text unzips to a thousand times its bytes, or nearly.
BOMB_BYTES = 200_000_000


def letter(kind: str = "PNG", **options: Any) -> bytes:
    """An image of an L."""
    image = Image.new("RGB", (80, 80), "white")
    ImageDraw.Draw(image).line([(20, 10), (20, 65), (60, 65)], "black", 7)
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def form(image: bytes, head: bytes = b"", name: bytes = b"image") -> bytes:
    """A form with an image, behind other parts."""
    disposition = b'--x\r\nContent-Disposition: form-data; name="' + name + b'"; filename="a"\r\n\r\n'
    return head + disposition + image + b"\r\n--x--\r\n"


def field(name: bytes, value: bytes) -> bytes:
    """A field of a form."""
    return b'--x\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + value + b"\r\n"


def as_json(image: bytes) -> bytes:
    """A JSON body with an image."""
    return json.dumps({"image": base64.b64encode(image).decode()}).encode()


def _zeros(count: int) -> bytes:
    """So many zeros, zipped."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(count >> 20)), packer.flush()])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, zipped: bytes, *before: bytes, bits: int = 1) -> bytes:
    """A PNG, grey, of the size that it claims."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + _chunk(b"IDAT", zipped) + _chunk(b"IEND", b"")


def tiff(*entries: tuple[int, int, int, int], next_directory: int = 0, content: bytes = b"") -> bytes:
    """A TIFF with one directory: tag, type, count, value of each entry."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", next_directory) + content


def _tiff_of(width: int, height: int, rows: int, strips: int, offset: int, length: int, **more: int) -> bytes:
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, strips, offset), (277, 3, 1, 1), (278, 4, 1, rows), (279, 4, strips, length)]
    return tiff(*entries, content=bytes(4096), **more)


def _many_frames() -> bytes:
    """A GIF of 100,000 frames: one, and its block again and again."""
    content = io.BytesIO()
    Image.new("P", (4, 4)).save(content, "GIF")
    whole = content.getvalue()
    start = whole.index(b",")
    return whole[:start] + whole[start:-1] * 100_000 + b";"


def _many_pages() -> bytes:
    """A TIFF of 20,000 directories."""
    entries = [(256, 4, 1, 4), (257, 4, 1, 4), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, 1, 8), (278, 4, 1, 4), (279, 4, 1, 16)]
    packed = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    size = len(packed) + 4
    pages = [packed + struct.pack("<I", 8 + number * size if number < 20_000 else 0) for number in range(1, 20_001)]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(pages)


def _jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    """A JPEG of an L with further segments: marker and content."""
    packed = b"".join(bytes([0xFF, marker]) + struct.pack(">H", len(each) + 2) + each for marker, each in segments)
    return b"\xff\xd8" + packed + letter("JPEG")[2:]


def images() -> dict[str, bytes]:
    """Hostile images by what is wrong with them."""
    zipped = _zeros(BOMB_BYTES)
    looped_exif = b"Exif\0\0" + tiff((0x8769, 4, 1, 8), (0x0112, 3, 0xFFFFFFFF, 8), next_directory=8)
    profile = b"a\0\0" + zlib.compress(bytes(1_000_000))
    bmp = bytearray(letter("BMP"))
    bmp[18:26] = struct.pack("<ii", 2**31 - 1, -(2**31))
    return {
        "a PNG of 40,000 by 40,000": png(40_000, 40_000, zipped),
        "a PNG of 2³¹ by 2³¹": png(2**31 - 1, 2**31 - 1, zipped),
        "a PNG of no size": png(0, 0, zlib.compress(b"")),
        "a small PNG of 200 MB of data": png(28, 28, zipped),
        "a PNG with zipped text": png(28, 28, zlib.compress(bytes(140)), _chunk(b"zTXt", b"a\0\0" + zipped)),
        "a PNG with text in a language": png(
            28, 28, zlib.compress(bytes(140)), _chunk(b"iTXt", b"a\0\1\0\0\0" + zipped)
        ),
        "a PNG with a colour profile": png(28, 28, zlib.compress(bytes(140)), _chunk(b"iCCP", b"a\0\0" + zipped)),
        "a PNG of 10,000 profiles": png(28, 28, zlib.compress(bytes(140)), *[_chunk(b"iCCP", profile)] * 10_000),
        "a PPM of text and comments": b"P2 300 190 255\n" + b"#\n1 " * 57_000 + b"#\n" * 2_000_000,
        "a PNG of 10,000 texts": png(28, 28, zlib.compress(bytes(140)), *[_chunk(b"tEXt", b"a\0b")] * 10_000),
        "a PNG with a chunk of 4 GB": letter()[:33] + b"\xff\xff\xff\xffIDAT",
        "a TIFF of itself": tiff(next_directory=8),
        "a TIFF of a billion strips": _tiff_of(64, 64, 1, 2**30, 8, 2**32 - 1),
        "a TIFF of strips of 4 GB": _tiff_of(6000, 6000, 6000, 1, 8, 2**32 - 1),
        "a TIFF of 4 billion by one": _tiff_of(2**32 - 1, 1, 1, 1, 8, 16),
        "a TIFF of strips without rows": _tiff_of(64, 64, 0, 1, 130, 4096),
        "a TIFF whose pages go in a circle": _tiff_of(64, 64, 64, 1, 130, 4096, next_directory=8),
        "a TIFF of 20,000 pages": _many_pages(),
        "a GIF of 100,000 frames": _many_frames(),
        "a BMP of 2³¹ by -2³¹": bytes(bmp),
        "a PPM of a trillion pixels": b"P6 999999 999999 255\n" + bytes(1000),
        "a PPM of a number without an end": b"P6 " + b"9" * 100_000 + b" 1 255\n",
        "a PPM of comments": b"P6 " + b"# \n" * 100_000,
        "a JPEG with EXIF in a circle": _jpeg_with((0xE1, looped_exif)),
        "a JPEG with megabytes of EXIF": _jpeg_with(*[(0xE1, b"Exif\0\0" + bytes(65_000))] * 100),
        "a JPEG of several pictures, it says": _jpeg_with(
            (0xE2, b"MPF\0II*\0\x08\0\0\0\x01\0\x01\xb0\x07\0\xff\xff\xff\xff")
        ),
        "a JPEG with profiles of 255 parts": _jpeg_with(*[(0xE2, b"ICC_PROFILE\0\xff\xff" + bytes(60_000))] * 60),
        "a WebP of a size that isn't so": letter("WEBP")[:4] + b"\xff\xff\xff\xff" + letter("WEBP")[8:],
        "an SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><!ENTITY a "&a;&a;"></svg>',
        "a script for a printer": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n",
        "a PDF": b"%PDF-1.7\n1 0 obj\n",
        "a ZIP": b"PK\3\4" + bytes(1000),
    }


def bodies() -> dict[str, tuple[str, bytes]]:
    """Hostile bodies by what is wrong with them: content type and content."""
    drawing = b'{"strokes": [[[5, 0], [5, 40], [30, 40]]]%s}'
    good = letter()
    text = base64.b64encode(good)
    return {
        "brackets": (JSON, b"[" * 100_000),
        "objects in objects": (JSON, b'{"a":' * 100_000),
        "deep strokes": (JSON, b'{"strokes": ' + b"[" * 15_000 + b"]" * 15_000 + b"}"),
        "a coordinate of 1e400": (JSON, b'{"strokes": [[[1e400, 0]]]}'),
        "a coordinate of 5,000 digits": (JSON, b'{"strokes": [[[' + b"1" * 5_000 + b", 0]]]}"),
        "a top_k of 5,000 digits": (JSON, drawing % (b', "top_k": ' + b"1" * 5_000)),
        "a top_k of a million zeros": (JSON, drawing % (b', "top_k": 1' + b"0" * 1_000_000)),
        "NaN": (JSON, b'{"strokes": [[[NaN, 0]]]}'),
        "-Infinity": (JSON, drawing % b', "unclear_above": -Infinity'),
        "half a character": (JSON, drawing % rb', "charset": "\ud800"'),
        "half a character as a name": (JSON, drawing % rb', "\udfff": 1'),
        "bytes that are no UTF-8": (JSON, drawing % b', "charset": "\xff\xfe"'),
        "bytes that were UTF-8 once": (JSON, drawing % b', "charset": "\xed\xa0\x80"'),
        "a mark before JSON": (JSON, b"\xef\xbb\xbf" + drawing % b""),
        "UTF-16": (JSON + "; charset=utf-16", (drawing % b"").decode().encode("utf-16")),
        "NULs": (JSON, bytes(100_000)),
        "a control character in a text": (JSON, drawing % b', "charset": "\x01"'),
        "200,000 fields": (JSON, drawing % b"".join(b', "a%d": 0' % number for number in range(200_000))),
        "a charset of megabytes": (JSON, drawing % (b', "charset": "' + b"A" * 5_000_000 + b'"')),
        "more charsets than lines may be": (JSON, drawing % (b', "charset": [' + b"null," * 100_000 + b"null]")),
        "points that are no pairs": (JSON, b'{"strokes": [[' + b"[1]," * 15_000 + b"[1]]]}"),
        "base64 without an end": (JSON, b'{"image": "' + text[:-5] + b'"}'),
        "base64 for URLs": (JSON, b'{"image": "____----"}'),
        "nothing but padding": (JSON, b'{"image": "' + b"=" * 100_000 + b'"}'),
        "base64 of spaces": (JSON, b'{"image": "' + b" " * 5_000_000 + b'"}'),
        "base64 of another alphabet": (JSON, '{"image": "АААА"}'.encode()),
        "a data URL of parameters": (JSON, b'{"image": "data:' + b";a" * 500_000 + b'"}'),
        "a data URL of one parameter": (JSON, b'{"image": "data:;' + b"a" * 1_000_000 + b'"}'),
        "an image that is no text": (JSON, b'{"image": {"a": 1}}'),
        "zipped JSON": (JSON, zlib.compress(drawing % b"")),
        "JSON with a type of text": ("text/plain", drawing % b""),
        "JSON with no type": ("", drawing % b""),
        "a type of megabytes": (JSON + ";" + "a" * 30_000, b"{"),
        "a form without a boundary": ("multipart/form-data", form(good)),
        "a form with an empty boundary": ("multipart/form-data; boundary=", form(good)),
        "a form with another boundary": ("multipart/form-data; boundary=y", form(good)),
        "a form with a boundary of 30,000": ("multipart/form-data; boundary=" + "y" * 30_000, form(good)),
        "a form of 10,000 fields": (FORM, form(good, field(b"top_k", b"1") * 10_000)),
        "a form of 10,000 files": (FORM, b"".join(form(b"a")[:-6] for _ in range(10_000)) + b"x--\r\n"),
        "a form with a name of a megabyte": (FORM, form(good, field(b"a" * 1_000_000, b"1"))),
        "a form with a field of 5 MB": (FORM, form(good, field(b"charset", b"A" * 5_000_000))),
        "a form with names that are no UTF-8": (FORM, form(good, field(b"\xff\xfe", b"1"))),
        "a form with values that are no UTF-8": (FORM, form(good, field(b"charset", b"\xff\xfe"))),
        "a form of 10,000 headers": (FORM, form(good, b"--x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n\r\n")),
        "a form without its end": (FORM, form(good)[:-8]),
        "a form of nothing but its end": (FORM, b"--x--\r\n"),
        "a form within a form": (
            FORM,
            form(form(good), b"--x\r\nContent-Type: multipart/mixed; boundary=z\r\n\r\n--z--\r\n"),
        ),
        "a form whose file is elsewhere": (FORM, form(good, name=b"../../image")),
        "a form of lines": (FORM, b"\r\n" * 1_000_000),
        "a form of boundaries": (FORM, b"--x\r\n" * 200_000),
    }
