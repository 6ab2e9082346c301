"""`python -m sansauth_io.cli`."""

from sansauth_io.cli import main

main()
