"""Speed and memory, measured against the tools people use now, in one run on one machine.

``python -m benchmarks.compare`` builds its workloads from recorded handshakes, records one more, and prints ratios.
"""
