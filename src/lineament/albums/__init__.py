"""Albums: photos of people nobody named yet, grouped by person, corrected and named."""
