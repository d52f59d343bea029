"""The page, as `python app.py` and a Hugging Face Space run it."""

import sys

from playground.__main__ import main

if __name__ == "__main__":
    raise SystemExit(main(["serve", *sys.argv[1:]]))
