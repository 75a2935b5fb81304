from __future__ import annotations

from collections.abc import Iterator

import pytest
from collect_site import Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site()) as running:
        yield running
