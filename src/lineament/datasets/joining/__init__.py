"""Several data sets as one."""
