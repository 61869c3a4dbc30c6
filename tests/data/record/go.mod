module recorded

go 1.23
