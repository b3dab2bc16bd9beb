package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"boxrun.dev/guest/internal/hostside"
	"boxrun.dev/guest/internal/wire"
)

// asAgent makes the test's own binary the agent, so that the tests drive a real one in a process of its own.
const asAgent = "BOXRUN_TEST_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(asAgent) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// agent is a running agent and a connection to it.
type agent struct {
	*hostside.Client
	socket  string
	pid     int
	cgroups string // where its execs' groups are, or ""
}

// startAgent starts an agent with the given root directory.
func startAgent(t *testing.T, root string) *agent {
	t.Helper()
	// Not t.TempDir: its names can be too long for a socket.
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	a := &agent{socket: filepath.Join(dir, "s")}
	args := []string{"--listen", "unix:" + a.socket, "--root", root}
	if group := cgroupDir(); group != "" {
		a.cgroups = group
		args = append(args, "--cgroup", group)
		t.Cleanup(func() { removeCgroup(t, group) })
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asAgent+"=1")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a.pid = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	a.reconnect(t)
	return a
}

// reconnect hangs up, if there is a connection, and makes a new one.
func (a *agent) reconnect(t *testing.T) {
	t.Helper()
	if a.Client != nil {
		a.Close()
	}
	c, err := hostside.Dial(a.socket, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	a.Client = c
	t.Cleanup(c.Close)
}

// cgroupDir is where groups can be made, or "".
func cgroupDir() string {
	for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(mount + "/cgroup.procs"); err != nil {
			continue
		}
		dir := fmt.Sprintf("%s/boxrun-test-%d-%d", mount, os.Getpid(), ids.Add(1))
		if os.Mkdir(dir, 0o755) == nil {
			return dir
		}
	}
	return ""
}

// removeCgroup ends what the test's commands have left running, and removes their groups.
func removeCgroup(t *testing.T, dir string) {
	t.Helper()
	_ = os.WriteFile(dir+"/cgroup.kill", []byte("1"), 0)
	eventually(t, "the test's control groups are removed", func() bool {
		children, _ := filepath.Glob(dir + "/*/cgroup.procs")
		for _, c := range children {
			_ = os.Remove(filepath.Dir(c))
		}
		return os.Remove(dir) == nil || !exists(dir)
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

var ids atomic.Int64

func newID() string { return fmt.Sprintf("exec-%d", ids.Add(1)) }

func sh(script string) wire.ExecStart {
	return wire.ExecStart{Argv: []string{"/bin/sh", "-c", script}, Cwd: "/"}
}

func (a *agent) run(t *testing.T, start wire.ExecStart) hostside.Result {
	t.Helper()
	r, err := a.Run(newID(), start)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// begin starts a command and gives its id.
func (a *agent) begin(t *testing.T, start wire.ExecStart) string {
	t.Helper()
	id := newID()
	o, err := a.Start(id, start)
	if err != nil {
		t.Fatal(err)
	}
	o.Close()
	return id
}

func (a *agent) finish(t *testing.T, id string) hostside.Result {
	t.Helper()
	r, err := a.Finish(id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (a *agent) post(t *testing.T, target string, body any) {
	t.Helper()
	if err := a.JSON("POST", target, body, nil); err != nil {
		t.Fatal(err)
	}
}

func needRoot(t *testing.T, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root " + why)
	}
}

func failure(t *testing.T, err error, code wire.Code, part string) {
	t.Helper()
	e, ok := err.(*wire.Error)
	if !ok || e.Code != code || !strings.Contains(e.Message, part) {
		t.Errorf("got %v, want %s with %q", err, code, part)
	}
}

// eventually waits until done, for at most 5 s.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 5 s", what)
		}
	}
}
