"""The proof: real servers, many clients, deliberate faults, and a check of everything afterwards.

installation.py     an installation of its own, its server processes and services
proxy.py     the line between clients and servers, to be cut, delayed and held up
rest.py      REST for coroutines
client.py    a client as docs/protocol.md wants it: positions, outbox, sync, back-off
workload.py     what the clients do all the time
nemesis.py   what is done to them
history.py   what was tried, answered and seen
checker.py   whether the promises were kept
trial.py     one trial from the first row to the verdict
sabotage.py  servers with a deliberate fault, which the proof has to find

It looks at Chatty from outside and never uses Chatty's own code to judge it. manage.py prove_delivery
runs it; docs/proof.md tells what it proves.
"""
