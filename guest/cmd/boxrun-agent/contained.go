package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"syscall"

	"boxrun.dev/guest/internal/boot"
	"boxrun.dev/guest/internal/port"
	"boxrun.dev/guest/internal/proc"
	"boxrun.dev/guest/internal/server"
)

const (
	// hostPort is the vsock port at which the server waits to be called.
	hostPort = 2696
	// secretSize is the length in bytes of what the host put beside the agent, for this life of the box.
	secretSize = 32
)

func runContained() error {
	dir := os.Args[2]
	syscall.Umask(0o022)
	boot.RaiseLimits()
	secret, err := os.ReadFile(filepath.Join(dir, "secret"))
	if err != nil {
		return fmt.Errorf("read the secret: %w", err)
	}
	if len(secret) != secretSize {
		return fmt.Errorf("read the secret: it has %d bytes, want %d", len(secret), secretSize)
	}
	machine := boot.NewContained(proc.NewTable(), dir)
	machine.HandleSignals()
	go machine.Prepare()
	id := newBootID()
	return server.New(machine, id, nil, log.Default()).Serve(port.NewCaller(hostPort, secret, greeting(id)))
}
