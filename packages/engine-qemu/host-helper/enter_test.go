package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// As in a cgroup, what enters writes to a file that is there.
func TestEnter(t *testing.T) {
	if len(os.Args) > 2 && os.Args[len(os.Args)-2] == "enter-in" {
		t.Fatal(enter(os.Args[len(os.Args)-1], []string{"sh", "-c", "echo $0 $$", "became"}))
	}
	cgroup := t.TempDir()
	procs := filepath.Join(cgroup, "cgroup.procs")
	if err := os.WriteFile(procs, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestEnter$", "enter-in", cgroup)
	out, err := child.CombinedOutput()
	if want := "became " + strconv.Itoa(child.Process.Pid) + "\n"; err != nil || string(out) != want {
		t.Errorf("it said %q (%v), want %q: the program, in the same process", out, err, want)
	}
	if got, err := os.ReadFile(procs); err != nil || string(got) != "0" {
		t.Errorf("the cgroup was told %q (%v), want 0", got, err)
	}
	if err := enter(t.TempDir()+"/gone", []string{"sh"}); err == nil {
		t.Error("a cgroup that is not there was entered")
	}
}
