"""Load on a running hub: overload, and soak. `make overload`, `make soak`."""
