"""Shares, lanes and what is made once a second: who waits, who is refused, and that nothing stays counted."""

import asyncio
import threading
import time

import pytest

from modelsync.server.lanes import Lane, OncePerSecond, Shares, TooBusy


def test_i42_shares_are_counted_in_all_and_for_each_client():
    shares = Shares("things", in_all=3, each=2)
    with shares.one("a"), shares.one("a"):
        with pytest.raises(TooBusy) as own, shares.one("a"):
            raise AssertionError
        assert own.value.own
        with shares.one("b"):
            with pytest.raises(TooBusy) as others, shares.one("c"):
                raise AssertionError
            assert not others.value.own
        with shares.one(None):  # a proxy: only counted in all
            assert shares.taken == 3
    assert shares.taken == 0
    with shares.one("a"), shares.one("a"):
        assert shares.taken == 2


def test_i42_a_lane_refuses_whom_it_cannot_answer_in_time():
    async def run() -> None:
        going = threading.Event()
        lane = Lane("test", 1, Shares("questions", in_all=3, each=3), patience=0.2)
        first = asyncio.create_task(lane.run("a", going.wait, 10))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        with pytest.raises(TooBusy):
            await lane.run("b", lambda: None)
        assert 0.1 < time.monotonic() - began < 5
        going.set()
        assert await first
        assert await lane.run("b", lambda: 7) == 7  # nothing is counted any more
        lane.close()

    asyncio.run(run())


def test_i42_a_lane_that_is_full_refuses_at_once():
    async def run() -> None:
        going = threading.Event()
        lane = Lane("test", 1, Shares("questions", in_all=2, each=2), patience=30)
        waiting = [asyncio.create_task(lane.run("a", going.wait, 10)) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(TooBusy):
            await lane.run("b", lambda: None)
        going.set()
        assert await asyncio.gather(*waiting) == [True, True]
        lane.close()

    asyncio.run(run())


def test_what_is_made_once_a_second_is_made_once_for_all_and_its_failure_too():
    async def run() -> None:
        made = 0

        async def make() -> int:
            nonlocal made
            made += 1
            await asyncio.sleep(0.05)
            if made == 2:
                raise ValueError("no")
            return made

        brief = OncePerSecond(make)
        assert await asyncio.gather(*(brief.now() for _ in range(10))) == [1] * 10
        assert await brief.now() == 1
        brief.forget()
        found = await asyncio.gather(*(brief.now() for _ in range(10)), return_exceptions=True)
        assert [type(each) for each in found] == [ValueError] * 10
        brief.forget()
        assert await brief.now() == 3

    asyncio.run(run())


def test_i42_clients_take_turns():
    """Whoever asks one thing waits for one of somebody who asks many."""

    async def run() -> None:
        order: list[str] = []
        going = threading.Event()
        lane = Lane("test", 1, Shares("questions", in_all=50, each=20), patience=30)
        first = asyncio.create_task(lane.run("first", going.wait, 10))
        await asyncio.sleep(0.05)
        many = [asyncio.create_task(lane.run("many", order.append, "many")) for _ in range(10)]
        await asyncio.sleep(0.05)
        few = [asyncio.create_task(lane.run(name, order.append, name)) for name in ("one", "two", "one")]
        await asyncio.sleep(0.05)
        going.set()
        await asyncio.gather(first, *many, *few)
        assert order[:6] == ["many", "one", "two", "many", "one", "many"]
        lane.close()

    asyncio.run(run())


def test_i42_who_gives_up_waiting_keeps_no_thread():
    async def run() -> None:
        going = threading.Event()
        lane = Lane("test", 2, Shares("questions", in_all=50, each=20), patience=0.2)
        held = [asyncio.create_task(lane.run("a", going.wait, 10)) for _ in range(2)]
        await asyncio.sleep(0.05)
        late = await asyncio.gather(*(lane.run(f"late {number}", str) for number in range(10)), return_exceptions=True)
        assert {type(each) for each in late} == {TooBusy}
        gone = asyncio.create_task(lane.run("gone", str))
        await asyncio.sleep(0.05)
        gone.cancel()
        going.set()
        assert await asyncio.gather(*held) == [True, True]
        assert await asyncio.gather(*(lane.run("b", str, number) for number in range(20))) == [str(number) for number in range(20)]
        lane.close()

    asyncio.run(run())
