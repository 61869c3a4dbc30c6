module known

go 1.23
