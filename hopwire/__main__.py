"""`python -m hopwire` is the same as `hopwire`."""

from hopwire.cli import main

if __name__ == "__main__":
    main()
