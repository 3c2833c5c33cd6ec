"""Parts of a measured time add up to it, whatever is called inside whatever."""

import threading
import time

import pytest

from benchmarks.stopwatch import Stopwatch


class Baker:
    """Bakes in 30 ms, of which 20 are the oven's."""

    def bake(self) -> str:
        time.sleep(0.01)
        return self.heat()

    def heat(self) -> str:
        time.sleep(0.02)
        return "bread"


def test_a_part_is_counted_without_the_parts_inside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Baker, "bake", Baker.bake)  # put back afterwards
    monkeypatch.setattr(Baker, "heat", Baker.heat)
    watch = Stopwatch()
    watch.watch(Baker, "bake", "bench")
    watch.watch(Baker, "heat", "oven")

    started = time.perf_counter()
    assert [Baker().bake() for _ in range(3)] == ["bread"] * 3
    whole = time.perf_counter() - started

    assert watch.seconds["bench"] >= 0.03
    assert watch.seconds["oven"] >= 0.06
    assert sum(watch.seconds.values()) <= whole


def test_another_thread_is_beside_and_not_inside() -> None:
    watch = Stopwatch()

    def beside() -> None:
        with watch.part("beside"):
            time.sleep(0.05)

    with watch.part("main"):
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()

    assert watch.seconds["main"] >= 0.05
    assert watch.seconds["beside"] >= 0.05
