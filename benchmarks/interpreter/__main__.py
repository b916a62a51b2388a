"""`python -m benchmarks.interpreter [SET...] [--wrong] [--reliability]`."""

from benchmarks.interpreter import main

main()
