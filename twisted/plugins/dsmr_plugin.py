"""Tells ``twistd`` of its subcommands ``dsmr`` and ``dsmr-forward``: two services, of ``tap`` and of ``forward_tap``.

Neither this directory nor the one above may have an ``__init__.py``: it would hide Twisted's own plugins.
"""

from twisted.application.service import ServiceMaker

dsmr = ServiceMaker("dsmr_tw", "dsmr_tw.tap", "Reads smart meters and answers questions about them over HTTP", "dsmr")

dsmr_forward = ServiceMaker(
    "dsmr_tw forwarding", "dsmr_tw.forward_tap", "Reads smart meters and sends what they say to servers", "dsmr-forward"
)
