"""Run by the tests in a process of its own, to be killed: collect from a site on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

from collect_site import ALLOWED

from lineament.datasets.collect.api import Openverse
from lineament.datasets.collect.collection import Collection
from lineament.datasets.collect.fetching import Fetcher
from lineament.datasets.collect.people import read_names
from lineament.datasets.collect.politeness import Guest, Manners
from lineament.datasets.collect.run import gather

if __name__ == "__main__":
    folder, names, site, workers = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    guest = Guest(Fetcher(ALLOWED), Manners(host_seconds=0, backoff_seconds=0.01))
    with Collection(folder, read_names(names), purpose="testing", source="api") as collection:
        for gathered in gather(
            collection, Openverse(guest, base=site), guest, per_subject=6, workers=workers
        ):
            print(gathered.outcome, flush=True)
