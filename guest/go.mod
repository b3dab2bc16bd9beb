module boxrun.dev/guest

go 1.24
