"""What pictures are made of: layers of the heap, samples over time, maps of its pages; in documents and on terminals."""
