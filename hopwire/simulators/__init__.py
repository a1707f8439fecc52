"""Far ends on real sockets: a Viber partner endpoint, an SMSC, and the phones that receive.

Rule: a simulator knows nothing of the gateway but the wire. What it does with a message is the row of
`scenario.SCENARIOS` that the recipient's number chooses.
"""
