"""Services of parties in a process of their own: `python -m benchmarks.receivers FOLDER slug=well|hanging|failing …`.

Prints one line of JSON, slug → URL, and serves until its standard input ends.
"""

import json
import sys
from contextlib import ExitStack
from pathlib import Path

from gateway.app import open_instance
from tests.pushing import failing, hanging, receiving, well

BEHAVIOURS = {"well": well, "hanging": hanging, "failing": failing}


def main() -> None:
    folder, wanted = Path(sys.argv[1]), dict(one.split("=") for one in sys.argv[2:])
    instance, urls = open_instance(folder), {}
    with ExitStack() as stack:
        for slug, behaviour in wanted.items():
            receiver = stack.enter_context(receiving(folder, slug, instance.resolve(slug).id))
            receiver.behaves(BEHAVIOURS[behaviour])
            urls[slug] = receiver.url
        print(json.dumps(urls), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
