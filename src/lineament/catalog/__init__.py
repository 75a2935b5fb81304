"""Model cards, one TOML file each; read by `lineament.io.catalog`."""
