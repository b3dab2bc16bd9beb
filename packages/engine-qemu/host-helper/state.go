package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
)

// stateSuffix: beside its socket a network has a file with what is wrong with it, for the server; empty if nothing is.
const stateSuffix = ".state"

// maxStateSize: one line for a person.
const maxStateSize = 500

// state is that file. It is opened before root is given up, and nobody else can write it.
type state struct {
	mu   sync.Mutex
	file *os.File
	now  string
}

func openState(path string) (*state, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("tell the network's state: %w", err)
	}
	return &state{file: file}, nil
}

func (s *state) write(trouble string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	trouble = lastLine(trouble)
	if trouble == s.now {
		return
	}
	s.now = trouble
	// What a reader may find in between is part of it.
	_ = s.file.Truncate(0)
	_, _ = s.file.WriteAt([]byte(trouble), 0)
}

// lastLine is the end of what a program said, short enough to be shown.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	if len(line) > maxStateSize {
		line = line[:maxStateSize]
	}
	return line
}
