package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// enter becomes the program, in the cgroup: whatever the program starts, and takes of the host, is counted there from its first moment.
func enter(cgroup string, command []string) error {
	program, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	// 0 is whoever writes it.
	if err := os.WriteFile(filepath.Join(cgroup, "cgroup.procs"), []byte("0"), 0); err != nil {
		return fmt.Errorf("enter the box's cgroup: %w", err)
	}
	return fmt.Errorf("start %s: %w", program, syscall.Exec(program, command, os.Environ()))
}
