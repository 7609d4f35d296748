"""Embedding on the nodes of a Ray cluster: the same work by the same code, in other processes.

    connection.py   the cluster: the one at RAY_ADDRESS, or one of this machine that ends with this process
    introducing.py  what a node has to have in common with this machine, so that its numbers are the same
    node.py         what runs on nodes: digests, preparing pictures, the forward pass
    crew.py         the processes that run the encoders, one a GPU: who is at work, who is gone
    cluster.py      this machine's side: what is done where, what comes back, whom it believes

Ray places the work, moves what is prepared from node to node, and does again what a lost process had prepared. What it
is not left to is which picture is at fault where a process ends, again and again: see `cluster.py`.
"""
