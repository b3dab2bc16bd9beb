package server

import (
	"runtime"
	"sync"
)

// addProcessors gives the Go runtime more than the VM has. Each goroutine that waits in a system call keeps one from the others until the monitor, which is calm
// (boot.calmMonitor), takes it away; with one, a transfer read its disk, wrote the other and heard of free slots in turns. Not before there is one: on an emulated
// CPU, handing work from one to the other is a tenth of what a box's first command takes.
var addProcessors = sync.OnceFunc(func() { runtime.GOMAXPROCS(max(4, runtime.NumCPU())) })
