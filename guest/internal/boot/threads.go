package boot

import (
	"runtime"
	"sync"
)

// spareThreads are enough for what a box does first: to be set up, and to start a program, which takes one with it.
const spareThreads = 4

// makeThreads has the Go runtime make the threads ahead that it would make when a goroutine waits in a system call or wants a thread to itself. It
// keeps those that have nothing to do, and so does a template.
func makeThreads() {
	var held, ended sync.WaitGroup
	release := make(chan struct{})
	for range spareThreads {
		held.Add(1)
		ended.Add(1)
		go func() {
			defer ended.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			held.Done()
			<-release
		}()
	}
	held.Wait()
	close(release)
	ended.Wait()
}
