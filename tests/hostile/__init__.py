"""Bad input on purpose: pictures and names, made in code, for every layer that takes any."""
