"""``python -m lineament``."""

from lineament.cli.main import main

if __name__ == "__main__":
    main()
