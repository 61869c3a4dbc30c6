module goalloc/realgo

go 1.23
