"""Pages and interfaces over HTTP; they need the extra ``serve`` and hold no logic of their own."""
