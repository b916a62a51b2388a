"""A home that several programs share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client.home import Home


@pytest.fixture
def there(tmp_path: Path) -> Home:
    return Home(tmp_path)
