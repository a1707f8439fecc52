"""The load and the far end that measure the gateway from outside; bench/README.md tells how to read it."""
