module inhand

go 1.19
