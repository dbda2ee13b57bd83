"""The same work in other stacks: verify a request's signature, sign an answer. `make bench-stacks`."""
