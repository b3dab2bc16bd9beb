package main

import (
	"crypto/rand"
	"log"
	"os"
	"syscall"

	"boxrun.dev/guest/internal/boot"
	"boxrun.dev/guest/internal/port"
	"boxrun.dev/guest/internal/proc"
	"boxrun.dev/guest/internal/server"
)

const (
	// hostPort is the vsock port at which the server waits to be called.
	hostPort = 2696
	// secretSize is the length in bytes of what the agent says first whenever it calls.
	secretSize = 32
)

func runContained() error {
	dir := os.Args[2]
	syscall.Umask(0o022)
	boot.RaiseLimits()
	// The first that calls is the agent: no program of the box runs yet. By the secret the host knows it again.
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // never fails
	machine := boot.NewContained(proc.NewTable(), dir)
	machine.HandleSignals()
	go machine.Prepare()
	id := newBootID()
	return server.New(machine, id, nil, log.Default()).Serve(port.NewCaller(hostPort, secret, greeting(id), machine.Succeed))
}
