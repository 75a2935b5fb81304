"""A named cluster as a subject of a gallery: each of its faces is enrolled from its photo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lineament.albums.album import Album
from lineament.albums.records import Cluster
from lineament.errors import UsageError
from lineament.gallery.enrolment import Allow, EnrolOutcome
from lineament.gallery.gallery import Gallery


def enrol(
    album: Album, cluster: Cluster, gallery: Gallery, allow: Iterable[Allow | str] = ()
) -> Iterator[EnrolOutcome]:
    """Enrol every face of a cluster under its name, one outcome each; again, it adds what is new.

    The gallery judges each photo as it always does: by quality, and by whom it knows. A photo that is not
    where the album saw it last is refused by name. Raises `UsageError` for a cluster without a name.
    """
    if cluster.name is None:
        one = f"p{cluster.number}"
        raise UsageError(f"{one} has no name: `lineament album name DIR {one} NAME` gives it one")
    allow = list(allow)
    own = next(faces for one, faces in album.clusters() if one.number == cluster.number)
    for face in own:
        x0, y0, x1, y1 = face.box
        at = ((x0 + x1) / 2, (y0 + y1) / 2)
        yield from gallery.enrol_all([(cluster.name, album.photo(face).path)], face=at, allow=allow)
