package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"boxrun.dev/guest/internal/wire"
)

func TestBackgroundProcessDoesNotHoldUpTheExit(t *testing.T) {
	a := startAgent(t, "/")
	file := filepath.Join(t.TempDir(), "alive")
	began := time.Now()
	// It writes to the pipe after the exit was told, which must not end it.
	r := a.run(t, sh("(sleep 1; echo late; echo x > "+file+") & echo main"))
	if string(r.Stdout) != "main\n" || r.Exit.Code != 0 || time.Since(began) > 900*time.Millisecond {
		t.Errorf("%q %+v after %v", r.Stdout, r.Exit, time.Since(began))
	}
	eventually(t, "the background process goes on", func() bool { _, err := os.Stat(file); return err == nil })

	began = time.Now()
	r = a.run(t, sh("(i=0; while [ $i -lt 200 ]; do echo noise; sleep 0.03; i=$((i+1)); done) & exit 6"))
	if r.Exit.Code != 6 || time.Since(began) > 5*time.Second {
		t.Errorf("with noise: %+v after %v", r.Exit, time.Since(began))
	}
}

// alive tells whether a process whose pid is in file still runs.
func alive(t *testing.T, file string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") && syscall.Kill(pid, 0) == nil
}

func TestTimeoutAndCancelEndTheProcessGroup(t *testing.T) {
	a := startAgent(t, "/")
	dir := t.TempDir()
	child := dir + "/child"
	script := "sleep 1000 & echo $! > " + child + "; "
	short := int64(200)
	for _, c := range []struct {
		name   string
		script string
		cancel bool
		exit   wire.Exit
	}{
		{"timeout", script + "wait", false, wire.Exit{Code: 143, Reason: wire.Timeout, Signal: "SIGTERM"}},
		{"cancel", script + "wait", true, wire.Exit{Code: 143, Reason: wire.Canceled, Signal: "SIGTERM"}},
		{"exit 0 on SIGTERM", "trap 'exit 0' TERM; " + script + "wait", true, wire.Exit{Reason: wire.Canceled}},
		{"deaf", "trap '' TERM; sleep 1000 & echo $! > " + child + "; while :; do wait; done", true,
			wire.Exit{Code: 137, Reason: wire.Canceled, Signal: "SIGKILL"}},
		{"stopped", script + "kill -STOP $$", true, wire.Exit{Code: 143, Reason: wire.Canceled, Signal: "SIGTERM"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			os.Remove(child)
			start := sh(c.script)
			if !c.cancel {
				start.TimeoutMS = &short
			}
			id := a.begin(t, start)
			eventually(t, "child started", func() bool { s, err := os.Stat(child); return err == nil && s.Size() > 0 })
			time.Sleep(50 * time.Millisecond)
			if c.cancel {
				a.post(t, "/execs/"+id+"/cancel", map[string]int{"grace_ms": 500})
			}
			began := time.Now()
			r := a.finish(t, id)
			if r.Exit != c.exit || time.Since(began) > 3*time.Second {
				t.Errorf("%+v after %v, want %+v", r.Exit, time.Since(began), c.exit)
			}
			eventually(t, "child is gone", func() bool { return !alive(t, child) })
			failure(t, a.JSON("POST", "/execs/"+id+"/cancel", map[string]int{}, nil), wire.NotFound, id)
		})
	}
}

func TestCancelReachesWhatLeftTheSession(t *testing.T) {
	a := startAgent(t, "/")
	if a.cgroups == "" {
		t.Skip("needs a writable cgroup2 mount")
	}
	file := filepath.Join(t.TempDir(), "pid")
	id := a.begin(t, sh("setsid sh -c 'trap \"\" TERM; echo $$ > "+file+"; while :; do sleep 1; done' & wait"))
	eventually(t, "child started", func() bool { s, err := os.Stat(file); return err == nil && s.Size() > 0 })
	began := time.Now()
	a.post(t, "/execs/"+id+"/cancel", map[string]int{"grace_ms": 300})
	r := a.finish(t, id)
	if r.Exit.Reason != wire.Canceled || time.Since(began) < 250*time.Millisecond || time.Since(began) > 2*time.Second {
		t.Errorf("%+v after %v", r.Exit, time.Since(began))
	}
	eventually(t, "the child is gone", func() bool { return !alive(t, file) })
}

func TestEachExecHasAGroupAlsoWhereTheSpareOneIsGone(t *testing.T) {
	a := startAgent(t, "/")
	if a.cgroups == "" {
		t.Skip("needs a writable cgroup2 mount")
	}
	used := map[string]bool{}
	group := func() string {
		r := a.run(t, sh("grep '^0::' /proc/self/cgroup"))
		name := filepath.Base(strings.TrimSpace(string(r.Stdout)))
		if used[name] || !strings.HasPrefix(name, "exec-") {
			t.Errorf("the exec is in %s; before it were %v", name, used)
		}
		used[name] = true
		return name
	}
	group()
	for _, isRemoved := range []bool{false, true, false, true} {
		var spare string
		eventually(t, "one group is left, which no exec was in", func() bool {
			found, _ := filepath.Glob(a.cgroups + "/exec-*")
			if len(found) != 1 {
				return false
			}
			spare = filepath.Base(found[0])
			return !used[spare]
		})
		// A program of the box may do this.
		if isRemoved {
			if err := os.Remove(filepath.Join(a.cgroups, spare)); err != nil {
				t.Fatal(err)
			}
		}
		if now := group(); (now == spare) == isRemoved {
			t.Errorf("the exec is in %s; the spare group, removed: %v, was %s", now, isRemoved, spare)
		}
	}
}

func TestSignalReachesTheProcessGroup(t *testing.T) {
	a := startAgent(t, "/")
	id := a.begin(t, sh("trap 'echo got it; exit 9' USR1; echo ready; while :; do sleep 0.05; done"))
	o, err := a.Read(id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.Next(); err != nil {
		t.Fatal(err)
	}
	o.Close()
	a.post(t, "/execs/"+id+"/signal", wire.Signal{Signal: "SIGUSR1"})
	if r := a.finish(t, id); string(r.Stdout) != "ready\ngot it\n" || r.Exit.Code != 9 {
		t.Errorf("%q %+v", r.Stdout, r.Exit)
	}
}
