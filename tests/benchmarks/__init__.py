"""The benchmark is not run by the tests; that every part of it works is."""
