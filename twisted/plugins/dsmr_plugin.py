"""Tells ``twistd`` of its subcommand ``dsmr``; the service itself is made by ``dsmr_tw.tap``.

Neither this directory nor the one above may have an ``__init__.py``: it would hide Twisted's own plugins.
"""

from twisted.application.service import ServiceMaker

dsmr = ServiceMaker("dsmr_tw", "dsmr_tw.tap", "Reads smart meters and answers questions about them over HTTP", "dsmr")
