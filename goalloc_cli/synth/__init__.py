"""Synthetic workloads: traces with a seed, made event by event in compiled kernels.

`catalogue` says which workloads there are and loads nothing; `make` makes a trace of one. Each workload is a file with a
kernel that writes events into a `world`, which gives out handles and times the collections. What is allocated is a `mix`.
"""
