"""An answer's bytes as a JSON document. What is wrong in one text of it is mended, so that it costs no more than that text.

msgspec is strict: half a surrogate pair anywhere makes it refuse the whole document, for JSON's grammar allows it and no text can hold it.
So a document that is refused is looked at once more: each text and value in it that cannot be read is replaced by MARK. What cannot be
read even then is said in words.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import msgspec

MARK = rb"\uFFfd"
"""U+FFFD, the replacement character, as no encoder writes it: so that it can be told what was mended."""

DEEPEST = 500
"""The levels that are kept of a document that is nested more deeply than can be read."""

MOST = 200_000
"""The places that are mended in one document; with more it is damaged as a whole."""

UNEXPECTED = "the answer is JSON, but not the documented list"

_BOM = b"\xef\xbb\xbf"
_WIDE = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class NotJson(ValueError):
    """Bytes that are no JSON document; the message says what they are instead, and shows nothing of them."""


class Document(msgspec.Struct, frozen=True):
    """A JSON object or array, its values still raw. MARK stands where something could not be read as it was.

    A `sound` one is UTF-8 from end to end, had nothing mended, and has no NUL: no part of it has to be looked at for that.
    """

    top: dict[str, msgspec.Raw] | list[msgspec.Raw]
    sound: bool = False

    @property
    def why_no_list(self) -> str:
        """What to say of a document that has no list where it should."""
        if isinstance(self.top, dict) and (_truth(self.top.get("error")) or self.top.get("success") == msgspec.Raw(b"false")):
            return "the provider answered with an error instead of a list"
        return UNEXPECTED


class Edit(NamedTuple):
    """`text` takes the place of the bytes from `start` to `end`."""

    start: int
    end: int
    text: bytes


def document(body: bytes) -> Document:
    """The document that `body` holds. Raises NotJson when it holds none, or neither an object nor an array."""
    bare = body.removeprefix(_BOM)
    try:
        return Document(_top(bare), _is_sound(bare))
    except msgspec.ValidationError as error:
        raise NotJson(UNEXPECTED) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        other_format = _something_else(body)
        if other_format:
            raise NotJson(other_format) from error
        whole, passes = _mended(bare, error)
    try:
        return Document(_top(whole))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise NotJson(_in_words(error, whole, passes, len(body) - len(bare))) from error


def mended(text: bytes, error: Exception) -> bytes:
    """JSON that was refused with `error`, with MARK in place of all that cannot be read. Raises NotJson when that is too much."""
    return _mended(text, error)[0]


def is_mended(text: bytes) -> bool:
    """Whether JSON has a MARK in it."""
    return MARK in text and _mark.search(text) is not None


_PIECE = 1 << 20


def _is_sound(text: bytes) -> bool:
    """Whether JSON that can be split into its values has nothing in it that would have to be mended, or left out."""
    if b"\\" in text and b"\\u" in text and (b"\\u0000" in text or MARK in text):
        return False
    if text.isascii():
        return True
    decoder, view = codecs.getincrementaldecoder("utf-8")(), memoryview(text)
    try:
        for start in range(0, len(text), _PIECE):
            decoder.decode(view[start : start + _PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


_mark = re.compile(rb"(?<!\\)(?:\\\\)*\\uFFfd")  # a backslash before it makes it the text \uFFfd


def _top(body: bytes) -> dict[str, msgspec.Raw] | list[msgspec.Raw]:
    return msgspec.json.decode(body, type=dict[str, msgspec.Raw] | list[msgspec.Raw])


def _truth(value: msgspec.Raw | None) -> bool:
    return value is not None and bytes(value) not in (b"null", b"false", b'""', b"{}", b"[]", b"0")


# Mending

# Python before 3.11.5 takes a possessive quantifier wrongly where what it repeats can be matched in several ways (python/cpython#106052).
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_string_or_word = re.compile(_STRING + rb"|-?(?:NaN|Infinity)", re.DOTALL)  # the words are JavaScript's, for numbers
_string_or_bracket = re.compile(_STRING + rb"|[\[{\]}]", re.DOTALL)
_plain_string = re.compile(rb'"[\x20\x21\x23-\x5b\x5d-\x7f]*+"')
_piece = re.compile(
    r"""(?:[^\\\x00-\x1f\udc80-\udcff]+|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"""  # all that is right,
    r"""|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|\\["\\/bfnrt]){1,500}"""
    r"""|(\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\|[\x00-\x1f]|[\udc80-\udcff]+)"""  # and what is wrong
)


def _mended(body: bytes, error: Exception) -> tuple[bytes, list[list[Edit]]]:
    """The mended document, and what was replaced in one pass after another. Raises NotJson when that is too much."""
    passes: list[list[Edit]] = []
    for find in (_cuts, _edits) if isinstance(error, RecursionError) else (_edits,):
        edits = list(islice(find(body), MOST + 1))
        if len(edits) > MOST:
            raise NotJson(f"the answer is damaged in more than {MOST:,} places")
        body = _applied(body, edits)
        passes.append(edits)
    return body, passes


def _edits(body: bytes) -> Iterator[Edit]:
    """The texts to replace, and the words for numbers that are none: these become texts."""
    for match in _string_or_word.finditer(body):
        token = match[0]
        if not token.startswith(b'"'):
            yield Edit(*match.span(), b'"%b"' % token)
        elif not _plain_string.fullmatch(token) and (text := _text(token)) != token:
            yield Edit(*match.span(), text)


def _cuts(body: bytes) -> Iterator[Edit]:
    """The objects and arrays to replace because they lie too deep."""
    depth, start = 0, None
    for token in _string_or_bracket.finditer(body):
        if token[0] in (b"[", b"{"):
            depth += 1
            if depth > DEEPEST and start is None:
                start = token.start()
        elif token[0] in (b"]", b"}"):
            depth -= 1
            if depth == DEEPEST and start is not None:
                yield Edit(start, token.end(), b'"%b"' % MARK)
                start = None


def _text(string: bytes) -> bytes:
    """A JSON string with MARK for each half of a surrogate pair, wrong escape and control character, and for bytes that are no UTF-8."""
    mark = MARK.decode()
    decoded = string.decode("utf-8", "surrogateescape")
    return _piece.sub(lambda match: mark if match[1] else match[0], decoded).encode()


def _applied(body: bytes, edits: Iterable[Edit]) -> bytes:
    pieces, at = [], 0
    for edit in edits:
        pieces += [body[at : edit.start], edit.text]
        at = edit.end
    return b"".join([*pieces, body[at:]]) if pieces else body


# Words for what cannot be read


def _something_else(body: bytes) -> str | None:
    """What the bytes are, if they are something that is known and no JSON."""
    start = body[:200].removeprefix(_BOM).lstrip().lower()
    wide = next((name for mark, name in _WIDE.items() if body.startswith(mark)), "UTF-16" if b"\0" in body[:2] else None)
    if not start:
        return "the answer is empty"
    if wide:
        return f"the answer is {wide}, not UTF-8"
    if start.startswith(b"<"):
        return "the answer is an HTML page, not JSON" if b"html" in start else "the answer is XML or HTML, not JSON"
    if start.startswith(b"\x1f\x8b"):
        return "the answer is gzip data inside of its coding, not JSON"
    return "the answer is a JavaScript call around JSON (JSONP), not JSON" if re.match(rb"[\w.$]+\s*\(", start) else None


_place = re.compile(r"(?:JSON is malformed: )?(.*) \(byte (\d+)\)")


def _in_words(error: Exception, body: bytes, passes: Iterable[Iterable[Edit]], before: int) -> str:
    """Why a mended document cannot be read, and where in the bytes that came; `before` more of them stood in front."""
    match = _place.fullmatch(str(error))
    if match is None:
        return "the answer is nested too deeply" if isinstance(error, RecursionError) else "the answer is cut off: its JSON does not end"
    what, at = match[1], int(match[2])
    if what == "trailing characters":
        what, at = "a second document?", at - 1  # msgspec names the byte after it
        if body[at : at + 1] not in (b"{", b"["):
            what = "something after the end"
    elif "trailing comma" in what or (body[at : at + 1] in (b"]", b"}") and body[:at].rstrip().endswith(b",")):
        what = "a trailing comma?"
    for edits in reversed([*passes]):
        at = _unmoved(at, edits)
    return f"the answer is not valid JSON at byte {before + at:,} ({what})"


def _unmoved(at: int, edits: Iterable[Edit]) -> int:
    """Where the byte `at` was before a pass of edits."""
    for edit in edits:
        if edit.start + len(edit.text) > at:
            break
        at += edit.end - edit.start - len(edit.text)
    return at
