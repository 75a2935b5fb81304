"""Which rows come of one photo, told by provenance and names: they must not be parted."""
