"""pybtle's example: connect to a device, discover it, and print what its readable values are.

``python examples/pybtle_client.py C0:11:22:33:44:55 random``
"""

import sys

from bletest.compat.pybtle import cmd, gattc

address, addr_type = sys.argv[1:3]

client = gattc.gattc(cmd.cmd())
client.connect(address, addr_type)
client.service_discovery()

for service in client.get_db()["value"]:
    for characteristic in service["characteristics"]:
        if "read" in characteristic["properties"]:
            handle = characteristic["value_handle"]
            print(characteristic["uuid"], client.read(0, None, handle))
