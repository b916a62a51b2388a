"""The line under the prompt."""

from pathlib import Path

from llmasos.shell.toolbar import Toolbar
from tests.shell.stage import staged


async def test_what_it_tells(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        toolbar = Toolbar(stage.client)
        assert toolbar() == " loading the model…  ·  2 processes  ·  policy default  ·  work"
        stage.slot.ready.set()
        await stage.slot.get()
        assert "loading" in toolbar()  # figures are kept for a second
        toolbar.refresh()
        stage.session.cwd = "taxes/2023"
        assert toolbar() == " smollm2  142 tok/s  ·  2 processes  ·  policy default  ·  work/taxes/2023"


async def test_no_model(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        toolbar = Toolbar(stage.client)
        toolbar.failed = True
        assert toolbar().startswith(" no model  ·")
