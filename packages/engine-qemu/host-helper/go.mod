module boxrun.dev/host-helper

go 1.24
