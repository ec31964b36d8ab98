"""The console script ``dsmr``: one module per admin command, each of which works beside a running server."""
