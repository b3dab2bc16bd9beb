package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEntry builds the agent as packages/guest-agent does: a test's own program has Go's usual entry.
func TestEntry(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "agent")
	build := exec.Command("go", "build", "-ldflags=-E=main.entry", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	for _, c := range []struct{ at, exe string }{
		{"", program},
		{"@", "/memfd:boxrun-agent (deleted)"},
	} {
		t.Run("first argument with "+c.at, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			cmd := exec.Command(program, c.at+"--listen", "unix:"+socket, "--root", "/")
			cmd.Env = []string{"MARK=of the caller"}
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}()
			eventually(t, "it listens", func() bool { _, err := os.Stat(socket); return err == nil })
			about := func(name string) string { return fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, name) }
			if exe, err := os.Readlink(about("exe")); err != nil || exe != c.exe {
				t.Errorf("it runs %s (%v), want %s", exe, err, c.exe)
			}
			args, _ := os.ReadFile(about("cmdline"))
			want := program + "\x00--listen\x00unix:" + socket + "\x00--root\x00/\x00"
			if string(args) != want {
				t.Errorf("its arguments are %q, want %q", args, want)
			}
			if env, _ := os.ReadFile(about("environ")); string(env) != "MARK=of the caller\x00" {
				t.Errorf("its environment is %q", env)
			}
			fds, _ := os.ReadDir(about("fd"))
			for _, fd := range fds {
				if to, _ := os.Readlink(about("fd/" + fd.Name())); strings.Contains(to, "agent") {
					t.Errorf("descriptor %s is left open on %s", fd.Name(), to)
				}
			}
		})
	}
	for arg, want := range map[string]string{"@": "usage: boxrun-agent", "@--nonsense": "not defined: -nonsense"} {
		if out, err := exec.Command(program, arg).CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v: %s", arg, err, out)
		}
	}
	if out, err := exec.Command(program).CombinedOutput(); err == nil || !strings.Contains(string(out), "usage: boxrun-agent") {
		t.Errorf("without arguments: %v: %s", err, out)
	}
}
