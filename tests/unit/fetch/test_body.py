"""Response bodies: what is read to the last byte, what is refused with the next, however the bytes come in."""

import asyncio
import gzip
import random
import zlib

import httpx2
import pytest

from modelsync.fetch.body import STEP, BadEncoding, TooLarge, read_body


class Chunks(httpx2.AsyncByteStream):
    """A body as it came off the wire. Says whether it was closed."""

    def __init__(self, chunks):
        self.chunks, self.closed = chunks, False

    async def __aiter__(self):
        for chunk in self.chunks:
            yield chunk

    async def aclose(self):
        self.closed = True


def body(*chunks, limit=10**9, **headers):
    """What is read of a response that comes in these pieces."""
    response = httpx2.Response(200, headers={name.replace("_", "-"): value for name, value in headers.items()}, stream=Chunks(chunks))
    return asyncio.run(read_body(response, limit))


def pieces(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


TEXT = bytes(range(256)) * 1000
ZIPPED = gzip.compress(TEXT)


@pytest.mark.parametrize("coding", [None, "", "identity", " Identity "])
def test_a_plain_body_is_read_up_to_its_limit(coding):
    headers = {} if coding is None else {"content_encoding": coding}
    assert body(b"ab", b"", b"c", limit=3, **headers) == b"abc"
    with pytest.raises(TooLarge):
        body(b"ab", b"cd", limit=3, **headers)
    assert body(**headers) == b""


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", " GZIP "])
@pytest.mark.parametrize("size", [1, 7, len(ZIPPED)])
def test_a_compressed_body_is_read_up_to_its_limit_however_it_comes(coding, size):
    assert body(*pieces(ZIPPED, size), limit=len(TEXT), content_encoding=coding) == TEXT
    with pytest.raises(TooLarge):
        body(*pieces(ZIPPED, size), limit=len(TEXT) - 1, content_encoding=coding)


@pytest.mark.parametrize("length", [0, 1, STEP - 1, STEP, STEP + 1, 3 * STEP])
def test_bodies_around_the_size_of_a_step(length):
    assert len(body(gzip.compress(b"x" * length), content_encoding="gzip")) == length


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_several_members_are_one_body_and_what_follows_them_is_left_alone(size):
    for rest in (b"", b"\0", b"\0" * 100, b"\x1f", b"x\x1f\x8b"):
        data = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two") + rest
        assert body(*pieces(data, size), content_encoding="gzip") == b"one two"


def test_repetitions_are_found_as_far_back_as_gzip_goes():
    """32 KiB (RFC 1951): a smaller window would take these bodies for damaged ones."""
    block = random.Random(1).randbytes(30_000)
    far = gzip.compress(block + block)
    assert len(far) < 31_000
    assert body(far, content_encoding="gzip") == block + block
    assert body(gzip.compress(b"one") + far, content_encoding="gzip") == b"one" + block + block


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_member_that_is_cut_or_damaged_is_no_body(size):
    whole = gzip.compress(b"one ") + gzip.compress(b"two")
    first = len(gzip.compress(b"one "))
    for cut in (1, len(whole) - 1, first + 2, first + 5):
        with pytest.raises(BadEncoding, match=r"^the gzip data ends early$"):
            body(*pieces(whole[:cut], size), content_encoding="gzip")
    for damaged in (b"no gzip at all", whole[:-6] + b"\0\0" + whole[-4:], zlib.compress(b"one"), gzip.compress(b"a") + b"\x1f\x8b\xff" * 9):
        with pytest.raises(BadEncoding, match=r"^the gzip data is damaged$"):
            body(*pieces(damaged, size), content_encoding="gzip")
    with pytest.raises(BadEncoding, match=r"^the gzip data ends early$"):
        body(content_encoding="gzip")


@pytest.mark.parametrize(
    ("coding", "named"),
    [("br", "'br'"), ("gzip, gzip", "'gzip, gzip'"), ("x" * 20, f"'{'x' * 20}'"), ("x" * 21, "of a long name")],
)
def test_other_codings_are_refused_by_a_short_name(coding, named):
    with pytest.raises(BadEncoding, match=f"^content coding {named} was not asked for$"):
        body(b"x", content_encoding=coding)


def test_i36_a_bomb_is_refused_long_before_it_is_unpacked():
    """A hundred million bytes in a hundred thousand; at most one step more than the limit is ever held."""
    bomb = gzip.compress(b"\0" * 100_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(TooLarge):
        body(bomb, limit=1_000_000, content_encoding="gzip")


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_body_that_is_given_up_is_closed(coding):
    stream = Chunks([gzip.compress(b"x" * 100), b"x" * 100])
    response = httpx2.Response(200, headers={"content-encoding": coding}, stream=stream)
    with pytest.raises(TooLarge):
        asyncio.run(read_body(response, 10))
    assert stream.closed
