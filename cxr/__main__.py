"""`python -m cxr` is `cxr`."""

from cxr.cli import main

main()
