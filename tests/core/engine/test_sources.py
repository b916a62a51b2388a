"""How many lanes the model that talks has."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmasos.core.base.settings import Settings
from llmasos.core.engine import sources
from llmasos.core.engine.llama import LlamaEngine


@pytest.mark.parametrize(
    ("cores", "options", "lanes"),
    [
        (1, {}, 1),
        (2, {}, 2),
        (64, {}, 2),
        (8, {"threads": 4}, 1),
        (8, {"lanes": 4}, 4),
        (8, {"lanes": 3, "threads": 2}, 3),
        (2, {"lanes": 1}, 1),
    ],
)
def test_lanes(cores: int, options: dict[str, int], lanes: int, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(sources, "cores", lambda: cores)
    assert sources.speech_lanes(Settings(home=home, **options)) == lanes


async def test_two_lanes_take_no_more_cells(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(sources, "cores", lambda: 2)
    engines = sources.LlamaEngines(Settings(home=home), None)
    speech, further = await engines.speech(), await engines.named("smollm2")
    assert isinstance(speech, LlamaEngine)
    assert (speech.lanes, further.lanes) == (2, 1)
    assert speech.n_ctx == sources.LANE_CELLS
    assert speech.stats()["cells"] <= sources.SPEECH_CELLS
    await speech.shutdown()
    await further.shutdown()


async def test_conversations_have_cells_of_their_own(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(sources, "cores", lambda: 2)
    engines = sources.LlamaEngines(Settings.load(home=home, conversations=3), None)
    speech, further = await engines.speech(), await engines.named("smollm2")
    assert isinstance(speech, LlamaEngine)
    assert (speech.capabilities.own_cells, further.capabilities.own_cells) == (True, False)
    assert (speech.n_ctx, speech.lanes) == (sources.LANE_CELLS, 2), "as long as without"
    assert speech.stats()["cells"] == 4 * sources.LANE_CELLS, "two in each lane"
    await speech.shutdown()
    await further.shutdown()
