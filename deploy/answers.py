"""Exit with status 0 if a web address answers with status 200: the health check of a container."""

import sys
import urllib.request


def main(url: str) -> int:
    """0 if `url` answers, else 1."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return 0 if answer.status == 200 else 1
    except OSError as error:
        print(f"{url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
