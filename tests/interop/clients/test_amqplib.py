# SPDX-License-Identifier: MIT
"""amqplib for Node: today's, and 0.10, which still has frames of 4096 bytes. The cases are in ../node/amqplib.js."""

from lib import node

available = node.available

for _module in ("amqplib", "amqplib-old"):
    for _name, _function in node.cases("amqplib.js", _module).items():
        _function.__name__ += "" if _module == "amqplib" else "_old"
        globals()[_function.__name__] = _function
