"""Makes the environment of the image that this project's steps run in: python -m local.images."""

import sys

from local.errors import NoEnvironment
from local.images.environments import Environments
from local.images.table import IMAGES


def main() -> None:
    """Make it, unless this machine has it. Exit code 1 if it cannot be made."""
    try:
        Environments().environment(IMAGES[0], print)
    except NoEnvironment as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
