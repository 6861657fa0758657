"""Floor 2: TCP connections as columns. ``table`` gives every segment its flow; ``sequences`` tells
retransmissions, reordering and duplicates; ``events`` SYN, FIN, RST and who is the client; ``reuse`` where
a tuple begins another flow; ``grouping`` puts segments of a flow beside each other."""

from analyzer.flows.table import FlowState, FlowTable, Placement

__all__ = ["FlowState", "FlowTable", "Placement"]
