"""Make the example certificates: `python certs-example/make.py [--out certs-example/out]`.

The world of `gateway init` and what pki.toml beside this file adds to it. For tests and trials only.
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # so that it runs from a bare checkout too

from gateway.errors import Misconfigured  # noqa: E402
from gateway.security.throwaway import default_description, make_pki, read_description  # noqa: E402


def main() -> int:
    """Exit 0 when made; 1 when the folder holds such files already or the description is wrong."""
    parser = argparse.ArgumentParser(description="Make the example certificates; not for production.")
    parser.add_argument("--out", type=Path, default=HERE / "out", help="folder to write; default: %(default)s")
    out: Path = parser.parse_args().out
    try:
        description = default_description().plus(read_description((HERE / "pki.toml").read_text("utf-8")))
        make_pki(description, out, datetime.now(UTC))
    except Misconfigured as error:
        print(error.detail, file=sys.stderr)
        return 1
    print(f"{len(description.certificates)} certificates, {len(description.crls)} revocation lists in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
