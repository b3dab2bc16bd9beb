//go:build !amd64

package main

func readTSC() (uint64, bool) { return 0, false }
