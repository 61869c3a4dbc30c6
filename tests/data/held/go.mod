module held

go 1.23
