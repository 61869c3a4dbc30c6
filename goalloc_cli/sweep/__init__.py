"""Many traces under many designs, on many processes or machines.

```
inputs, wanted  ->  plan  ->  driver  <->  task (on a worker)
                     |          |
                   store  <-----+
```

The driver alone writes. What needs the extra `sweep` (dask.distributed, pyarrow, fsspec) imports it late, and no other
command does.
"""
