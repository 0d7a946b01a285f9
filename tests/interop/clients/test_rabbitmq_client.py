# SPDX-License-Identifier: MIT
"""rabbitmq-client for Node. The cases are in ../node/rabbitmq_client.js."""

from lib import node

available = node.available

globals().update(node.cases("rabbitmq_client.js"))
