"""Face datasets: collect, import, extract, clean, review, balance, split, augment, audit.

Every step reads a manifest and writes the next one (`lineament.io.manifest`), so that each face can be
followed from its source to the split it ended in.
"""
