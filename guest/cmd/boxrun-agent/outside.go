package main

import (
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"boxrun.dev/guest/internal/bulk"
	"boxrun.dev/guest/internal/cgroup"
	"boxrun.dev/guest/internal/exec"
	"boxrun.dev/guest/internal/files"
	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/proc"
	"boxrun.dev/guest/internal/server"
	"boxrun.dev/guest/internal/wire"
)

// endOnSignals also undoes what a shell that starts the agent in the background does: signals that are ignored stay so in
// every program, those that are handled are back to their default there.
func endOnSignals() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM)
	go func() {
		<-ended
		os.Exit(0)
	}()
}

// outside is the machine of an agent that is not PID 1: the host it runs on, of which it changes nothing.
type outside struct{}

func (outside) box(dir, groupDir, bulkFile string) (*server.Box, error) {
	syscall.Umask(0o022)
	root, err := inroot.Open(dir)
	if err != nil {
		return nil, err
	}
	var groups *cgroup.Tree
	if groupDir != "" {
		if groups, err = cgroup.NewTree(groupDir); err != nil {
			return nil, err
		}
	}
	execs, err := exec.NewManager(root, proc.NewTable(), groups)
	if err != nil {
		return nil, err
	}
	box := &server.Box{Execs: execs, Files: files.New(root)}
	if bulkFile != "" {
		if box.Bulk, err = bulk.Open(bulkFile); err != nil {
			return nil, err
		}
	}
	return box, nil
}

var errNotVM = &wire.Error{Code: wire.BadRequest, Message: "setup, clock, image, reclaim: the agent does not run in a VM of its own"}

func (outside) SetUp(*wire.Setup) (*server.Box, error) { return nil, errNotVM }
func (outside) SetClock(*wire.Clock) error             { return errNotVM }
func (outside) OpenImage() (*files.Archive, error)     { return nil, errNotVM }
func (outside) Sync()                                  { syscall.Sync() }
func (outside) ReclaimMemory() error                   { return errNotVM }

func (outside) EndProcesses(time.Duration) []wire.Killed { return []wire.Killed{} }

func (outside) PowerOff() {
	time.AfterFunc(100*time.Millisecond, func() {
		log.Print("powered off")
		os.Exit(0)
	})
}
