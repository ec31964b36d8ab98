"""The service of ``twistd dsmr`` without the plugin: ``twistd -noy dsmr.tac``.

Its settings are environment variables: ``DSMR_DEVICE=/dev/ttyUSB0`` for ``--device /dev/ttyUSB0``.
"""

from twisted.application.service import Application

from dsmr_tw.tap import Options, makeService

options = Options()
options.parseOptions([])
application = Application("dsmr")
makeService(options).setServiceParent(application)
