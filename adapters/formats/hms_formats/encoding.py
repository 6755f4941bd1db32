"""How the bytes of a text file become text."""

from __future__ import annotations

import codecs

from hms_registry.errors import ScanFailed

# The longer marks first: UTF-32's begins with UTF-16's.
_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode_head(head: bytes, *, name: str, is_cut: bool, encoding: str | None = None) -> tuple[str, str, int]:
    """Decode the first bytes of a file.

    Without a byte-order mark it is UTF-8 if that fits, UTF-16 if every other byte is zero, else cp1252, which
    is what old exports for spreadsheets are in.

    Args:
        is_cut: the head ends somewhere inside the file, perhaps inside a character.

    Returns:
        the text without its mark, the codec, and the length of the mark in bytes.

    Raises:
        ScanFailed: no encoding fits.
    """
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return _decode(head[len(mark) :], codec, name=name, is_cut=is_cut), codec, len(mark)
    if encoding is not None:
        return _decode(head, encoding, name=name, is_cut=is_cut), encoding, 0
    for codec in (*_without_mark(head), "utf-8", "cp1252", "latin-1"):
        try:
            text = codecs.getincrementaldecoder(codec)("strict").decode(head, not is_cut)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, codec, 0
    raise ScanFailed(f"{name} is not text: it holds NUL characters", hint="name it after its format, or remove it")


def _without_mark(head: bytes) -> tuple[str, ...]:
    sample = head[:512]
    if len(sample) < 4 or 0 not in sample:
        return ()
    if sample[1::2].count(0) > len(sample) // 4 and not sample[::2].count(0):
        return ("utf-16-le",)
    if sample[::2].count(0) > len(sample) // 4 and not sample[1::2].count(0):
        return ("utf-16-be",)
    return ()


def _decode(head: bytes, codec: str, *, name: str, is_cut: bool) -> str:
    try:
        return codecs.getincrementaldecoder(codec)("strict").decode(head, not is_cut)
    except (UnicodeDecodeError, LookupError) as exc:
        raise ScanFailed(
            f"{name} is not in the encoding {codec}", hint="state the option `encoding` of the source"
        ) from exc
