"""``python -m callerid``: the same as the command ``callerid``."""

from callerid.cli import main

if __name__ == "__main__":
    main()
