// Command boxrun-agent is the program in the VM that does what the host asks: see docs/guest-protocol.md.
//
// As PID 1 it is the VM's /init. `boxrun-agent contained DIR` is PID 1 of a container in a VM that somebody else booted; DIR is where
// its image has it. With --listen it serves the same protocol on a Unix socket, for tests without a VM.
package main

import (
	"crypto/rand"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strings"

	"boxrun.dev/guest/internal/boot"
	"boxrun.dev/guest/internal/port"
	"boxrun.dev/guest/internal/proc"
	"boxrun.dev/guest/internal/server"
	"boxrun.dev/guest/internal/wire"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("boxrun-agent: ")
	run := runOutside
	if len(os.Args) == 3 && os.Args[1] == "contained" {
		run = runContained
	} else if os.Getpid() == 1 {
		run = runInit
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// runInit never returns in a VM that works: if it does, the kernel panics and the host sees the VM end.
func runInit() error {
	boot.RaiseLimits()
	if err := boot.Early(); err != nil {
		return fmt.Errorf("boot: %w", err)
	}
	machine := boot.NewMachine(proc.NewTable())
	machine.HandleSignals()
	device, err := boot.FindPort()
	if err != nil {
		return fmt.Errorf("boot: %w", err)
	}
	id := newBootID()
	l, err := port.Listen(device, greeting(id))
	if err != nil {
		return fmt.Errorf("boot: %w", err)
	}
	return server.New(machine, id, nil, log.Default()).Serve(l)
}

func runOutside() error {
	listen := flag.String("listen", "", "serve on a Unix socket: unix:/path")
	root := flag.String("root", "/", "the box's root directory; any other than / needs root, for chroot(2)")
	groups := flag.String("cgroup", "", "a directory on a cgroup2 mount for the execs' groups; none if empty")
	transfers := flag.String("bulk", "", "a file that takes the place of the disk for transfers; none if empty")
	flag.Parse()
	path, ok := strings.CutPrefix(*listen, "unix:")
	if !ok || flag.NArg() > 0 {
		return fmt.Errorf("usage: boxrun-agent --listen unix:/path [--root DIR] [--cgroup DIR] [--bulk FILE]")
	}
	endOnSignals()
	machine := outside{}
	box, err := machine.box(*root, *groups, *transfers)
	if err != nil {
		return err
	}
	id := newBootID()
	var l net.Listener
	if l, err = port.ListenUnix(path, greeting(id)); err != nil {
		return err
	}
	return server.New(machine, id, box, log.Default()).Serve(l)
}

func newBootID() (id wire.BootID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

func greeting(id wire.BootID) []byte {
	return wire.Greeting{Version: wire.Version, BootID: id}.Encode()
}
