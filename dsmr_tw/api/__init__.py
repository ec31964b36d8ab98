"""The HTTP API, version 1 and 2: reads requests, asks the ports, answers in the shapes that clients know."""
