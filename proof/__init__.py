"""The proof of delivery: real servers, many clients, injected faults, and a check of all results.

installation.py  a temporary installation with its server processes
services.py      PostgreSQL and Redis for it
proxy.py         a TCP proxy that can cut, delay and stall connections
rest.py          a REST client for coroutines
client.py        a client according to docs/protocol.md: positions, outbox, sync, back-off
workload.py      what the clients do
nemesis.py       the faults that are injected
history.py       what was attempted, answered and seen
checker.py       compares the history with the database
trial.py         runs one trial, from set-up to verdict
server.py        starts a server with the reader, and with a deliberate bug if asked
reader.py        a reader of the change feed, whose copy of the messages must be complete
sabotage.py      deliberate bugs, which the proof has to find

It treats Chatty as a black box and never uses Chatty's own code to check it. Run it by
`manage.py prove_delivery`. docs/proof.md describes what it proves.
"""
