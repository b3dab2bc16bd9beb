package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"boxrun.dev/guest/internal/wire"
)

func TestHello(t *testing.T) {
	a := startAgent(t, "/")
	var h wire.Hello
	if err := a.JSON("GET", "/hello", nil, &h); err != nil {
		t.Fatal(err)
	}
	if h.Agent != wire.AgentVersion || h.Protocol != 1 || !h.Setup || h.BootID != a.Greeting.BootID.String() || h.Execs == nil {
		t.Errorf("%+v", h)
	}
	failure(t, a.JSON("POST", "/setup", wire.Setup{}, nil), wire.Exists, "already")
	failure(t, a.JSON("GET", "/nothing", nil, nil), wire.BadRequest, "no such request")
}

func TestExitCodesSignalsAndOutput(t *testing.T) {
	a := startAgent(t, "/")
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	orphan := write("orphan", "#!/no/such/interpreter\n", 0o755)
	plain := write("plain", "echo hi\n", 0o644)
	noFormat := write("noformat", "\x01\x02\x03\x04", 0o755)
	for _, c := range []struct {
		name     string
		start    wire.ExecStart
		out, err string
		exit     wire.Exit
		message  string
	}{
		{"success", sh("echo out; echo err >&2"), "out\n", "err\n", wire.Exit{Reason: wire.Exited}, ""},
		{"exit code", sh("exit 37"), "", "", wire.Exit{Code: 37, Reason: wire.Exited}, ""},
		{"signal", sh("kill -KILL $$"), "", "", wire.Exit{Code: 137, Reason: wire.Signaled, Signal: "SIGKILL"}, ""},
		{"standard input is empty", sh("cat; echo end"), "end\n", "", wire.Exit{Reason: wire.Exited}, ""},
		{"found in PATH", wire.ExecStart{Argv: []string{"echo", "a  b", "", "c"}}, "a  b  c\n", "", wire.Exit{Reason: wire.Exited}, ""},
		{"cwd", wire.ExecStart{Argv: []string{"pwd"}, Cwd: "/usr/bin"}, "/usr/bin\n", "", wire.Exit{Reason: wire.Exited}, ""},
		{"relative to cwd", wire.ExecStart{Argv: []string{"bin/echo", "x"}, Cwd: "/usr"}, "x\n", "", wire.Exit{Reason: wire.Exited}, ""},
		{"env", wire.ExecStart{Argv: []string{"/usr/bin/env"}, Env: map[string]string{"PATH": "/x", "HOME": "/h", "B": "2=3"}},
			"B=2=3\nHOME=/h\nPATH=/x\n", "", wire.Exit{Reason: wire.Exited}, ""},
		{"no such command", wire.ExecStart{Argv: []string{"foo"}, Env: map[string]string{"PATH": "/usr/bin:/bin"}}, "", "",
			wire.Exit{Code: 127, Reason: wire.NotStarted}, `exec: "foo": not found in PATH (/usr/bin:/bin)`},
		{"no such path", wire.ExecStart{Argv: []string{"/no/foo"}}, "", "", wire.Exit{Code: 127, Reason: wire.NotStarted}, `exec: "/no/foo": no such file`},
		{"no such directory", wire.ExecStart{Argv: []string{"true"}, Cwd: "/x/y"}, "", "",
			wire.Exit{Code: 127, Reason: wire.NotStarted}, "no such directory: /x/y"},
		{"no such user", wire.ExecStart{Argv: []string{"true"}, User: "no-such-bob"}, "", "",
			wire.Exit{Code: 127, Reason: wire.NotStarted}, "no such user: no-such-bob"},
		{"no interpreter", wire.ExecStart{Argv: []string{orphan}}, "", "",
			wire.Exit{Code: 127, Reason: wire.NotStarted}, "its interpreter /no/such/interpreter does not exist"},
		{"not executable", wire.ExecStart{Argv: []string{plain}}, "", "",
			wire.Exit{Code: 126, Reason: wire.NotStarted}, "permission denied"},
		{"no program", wire.ExecStart{Argv: []string{noFormat}}, "", "",
			wire.Exit{Code: 126, Reason: wire.NotStarted}, "exec format error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := a.run(t, c.start)
			message := r.Exit.Message
			r.Exit.Message = ""
			if string(r.Stdout) != c.out || string(r.Stderr) != c.err || r.Exit != c.exit || !strings.Contains(message, c.message) {
				t.Errorf("got %q %q %+v %q", r.Stdout, r.Stderr, r.Exit, message)
			}
		})
	}
}

func TestExecRequestsThatMakeNoSense(t *testing.T) {
	a := startAgent(t, "/")
	negative := int64(-1)
	put := func(id string, s wire.ExecStart) error { return a.JSON("PUT", "/execs/"+id, s, nil) }
	failure(t, put("x", wire.ExecStart{}), wire.BadRequest, "argv is empty")
	failure(t, put("x", wire.ExecStart{Argv: []string{"a"}, Cwd: "rel"}), wire.BadRequest, "absolute")
	failure(t, put("x", wire.ExecStart{Argv: []string{"a"}, TimeoutMS: &negative}), wire.BadRequest, "timeout_ms")
	failure(t, put("x", wire.ExecStart{Argv: []string{"a"}, Env: map[string]string{"A=B": ""}}), wire.BadRequest, "env")
	failure(t, put("..x", sh("true")), wire.BadRequest, "exec id")
	failure(t, put("a%2Fb", sh("true")), wire.BadRequest, "exec id")
	failure(t, a.JSON("GET", "/execs/none", nil, nil), wire.NotFound, "none")
	id := a.begin(t, sh("sleep 100"))
	failure(t, a.JSON("DELETE", "/execs/"+id, nil, nil), wire.BadRequest, "not ended")
	failure(t, a.JSON("POST", "/execs/"+id+"/signal", wire.Signal{Signal: "SIGNOPE"}, nil), wire.BadRequest, "no such signal")
	failure(t, a.JSON("POST", "/execs/"+id+"/resize", wire.TTY{Cols: 1, Rows: 1}, nil), wire.BadRequest, "no terminal")
	failure(t, a.JSON("POST", "/execs/"+id+"/stdin", nil, nil), wire.BadRequest, "started without")
	failure(t, a.JSON("POST", "/execs/"+id+"/output?stdout=1", nil, nil), wire.BadRequest, "only 0 bytes")
	a.post(t, "/execs/"+id+"/signal", wire.Signal{Signal: "SIGTERM"})
	a.finish(t, id)
}

func TestSameIDStartsNothingTwice(t *testing.T) {
	a := startAgent(t, "/")
	file := filepath.Join(t.TempDir(), "count")
	start := sh("echo x >> " + file + "; sleep 0.2; exit 4")
	var wg sync.WaitGroup
	pids := make([]int, 8)
	for i := range pids {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var s wire.ExecState
			if err := a.JSON("PUT", "/execs/same", start, &s); err != nil {
				t.Error(err)
			}
			pids[i] = s.PID
		}()
	}
	wg.Wait()
	r := a.finish(t, "same")
	text, _ := os.ReadFile(file)
	if string(text) != "x\n" || r.Exit.Code != 4 || pids[0] == 0 || pids[0] != pids[7] {
		t.Errorf("ran %q, exit %+v, pids %v", text, r.Exit, pids)
	}
}

func TestUserGroupsAndHome(t *testing.T) {
	needRoot(t, "to become another user")
	a := startAgent(t, "/")
	start := sh("id -u; id -g; echo $HOME")
	start.User = "daemon"
	if r := a.run(t, start); !strings.HasPrefix(string(r.Stdout), "1\n1\n/usr/sbin\n") {
		t.Errorf("daemon: %q %q", r.Stdout, r.Stderr)
	}
	start.User = "4321:8765"
	if r := a.run(t, start); string(r.Stdout) != "4321\n8765\n/\n" {
		t.Errorf("numbers: %q %q", r.Stdout, r.Stderr)
	}
}

func TestRootDirectory(t *testing.T) {
	needRoot(t, "for chroot(2)")
	busybox := "/bin/busybox"
	content, err := os.ReadFile(busybox)
	if err != nil {
		t.Skip("needs a static busybox: ", err)
	}
	dir := t.TempDir()
	for _, d := range []string{"bin", "etc"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/bin/sh", content, 0o755); err != nil {
		t.Fatal(err)
	}
	a := startAgent(t, dir)
	if r := a.run(t, sh("echo /*")); string(r.Stdout) != "/bin /etc\n" {
		t.Errorf("got %q %q %+v", r.Stdout, r.Stderr, r.Exit)
	}
	if _, err := a.Bytes("PUT", "/files?path=/etc/x", strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	if r := a.run(t, sh("read x < /etc/x; echo $x")); string(r.Stdout) != "hello\n" {
		t.Errorf("got %q %q %+v", r.Stdout, r.Stderr, r.Exit)
	}
}

func TestBinaryStdinComesBackByteForByte(t *testing.T) {
	a := startAgent(t, "/")
	random := rand.NewChaCha8([32]byte{1})
	want := make([]byte, 8<<20)
	_, _ = random.Read(want)
	start := wire.ExecStart{Argv: []string{"cat"}, Stdin: true}
	id := a.begin(t, start)
	go func() {
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 3_000_001)
			target := "/execs/" + id + "/stdin"
			if n == len(rest) {
				target += "?eof=true"
			}
			if _, err := a.Bytes("POST", target, bytes.NewReader(rest[:n])); err != nil {
				t.Error(err)
			}
			rest = rest[n:]
		}
	}()
	if r := a.finish(t, id); !bytes.Equal(r.Stdout, want) || r.Exit.Code != 0 {
		t.Errorf("%d bytes came back, exit %+v", len(r.Stdout), r.Exit)
	}
}

func TestStdinOfAnEndedProgramIsFinished(t *testing.T) {
	a := startAgent(t, "/")
	start := sh("sleep 0.2")
	start.Stdin = true
	id := a.begin(t, start)
	// More than a pipe takes: this waits until the program ends.
	_, err := a.Bytes("POST", "/execs/"+id+"/stdin", bytes.NewReader(make([]byte, 1<<20)))
	failure(t, err, wire.Finished, "")
	_, err = a.Bytes("POST", "/execs/"+id+"/stdin", strings.NewReader("x"))
	failure(t, err, wire.Finished, "")
	a.finish(t, id)

	start = sh("cat; sleep 0.2")
	start.Stdin = true
	id = a.begin(t, start)
	if _, err := a.Bytes("POST", "/execs/"+id+"/stdin?eof=true", strings.NewReader("last")); err != nil {
		t.Fatal(err)
	}
	_, err = a.Bytes("POST", "/execs/"+id+"/stdin", strings.NewReader("late"))
	failure(t, err, wire.Finished, "")
	if r := a.finish(t, id); string(r.Stdout) != "last" {
		t.Errorf("got %q", r.Stdout)
	}
}

func TestProgramWaitsUntilOutputIsAcknowledged(t *testing.T) {
	a := startAgent(t, "/")
	file := filepath.Join(t.TempDir(), "done")
	id := a.begin(t, sh("head -c 3000000 /dev/zero; echo x > "+file))
	time.Sleep(300 * time.Millisecond)
	if _, err := os.Stat(file); err == nil {
		t.Error("the program went on although nobody acknowledged anything")
	}
	if r := a.finish(t, id); len(r.Stdout) != 3_000_000 {
		t.Errorf("%d bytes", len(r.Stdout))
	}
}

func TestOutputResumesOnANewConnection(t *testing.T) {
	a := startAgent(t, "/")
	id := a.begin(t, sh("i=0; while [ $i -lt 30000 ]; do echo $i; i=$((i+1)); done; exit 5"))
	var want bytes.Buffer
	for i := range 30000 {
		fmt.Fprintln(&want, i)
	}
	var got []byte
	for cuts := 0; ; cuts++ {
		o, err := a.Read(id, uint64(len(got)), 0)
		if err != nil {
			t.Fatal(err)
		}
		for frames := 0; frames < 2 || cuts > 10; frames++ {
			f, payload, err := o.Next()
			if err != nil {
				t.Fatal(err)
			}
			if f.Type == wire.ExitType {
				if !bytes.Equal(got, want.Bytes()) || !strings.Contains(string(payload), `"code":5`) {
					t.Errorf("%d bytes, want %d; exit %s", len(got), want.Len(), payload)
				}
				return
			}
			if f.Offset != uint64(len(got)) {
				t.Fatalf("frame at %d, want %d", f.Offset, len(got))
			}
			keep := len(payload)
			if frames == 1 && cuts <= 10 {
				keep /= 2 // as if the host had stored a part only
			}
			got = append(got, payload[:keep]...)
			_ = o.Ack(wire.Stdout, uint64(len(got)))
		}
		a.reconnect(t)
	}
}

func TestNewReaderEndsTheOldOne(t *testing.T) {
	a := startAgent(t, "/")
	id := a.begin(t, sh("echo one; sleep 0.3; echo two"))
	first, err := a.Read(id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, payload, err := first.Next(); err != nil || string(payload) != "one\n" {
		t.Fatalf("%q, %v", payload, err)
	}
	r := a.finish(t, id)
	if _, _, err := first.Next(); err == nil {
		t.Error("the old reader got another frame")
	}
	if string(r.Stdout) != "one\ntwo\n" {
		t.Errorf("the new reader got %q", r.Stdout)
	}
}

func TestFirstByteIsNotDelayed(t *testing.T) {
	a := startAgent(t, "/")
	id := a.begin(t, sh("printf x; sleep 1; printf y"))
	o, err := a.Read(id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, payload, err := o.Next(); err != nil || string(payload) != "x" || time.Since(began) > 800*time.Millisecond {
		t.Errorf("%q, %v after %v", payload, err, time.Since(began))
	}
	o.Close()
	a.finish(t, id)
}

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
	if !a.cgroups {
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

func TestTerminal(t *testing.T) {
	a := startAgent(t, "/")
	start := sh("test -t 0 && test -t 1 && test -t 2 && echo tty $TERM; stty size; read x; stty size; echo got $x >&2; cat; exit 3")
	start.TTY, start.Stdin = &wire.TTY{Cols: 91, Rows: 31}, true
	id := a.begin(t, start)
	o, err := a.Read(id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var seen string
	for !strings.Contains(seen, "31 91") {
		_, payload, err := o.Next()
		if err != nil {
			t.Fatal(err)
		}
		seen += string(payload)
	}
	o.Close()
	a.post(t, "/execs/"+id+"/resize", wire.TTY{Cols: 100, Rows: 40})
	if _, err := a.Bytes("POST", "/execs/"+id+"/stdin", strings.NewReader("hello\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Bytes("POST", "/execs/"+id+"/stdin?eof=true", strings.NewReader("unfinished")); err != nil {
		t.Fatal(err)
	}
	r := a.finish(t, id)
	out := string(r.Stdout)
	for _, want := range []string{"tty xterm-256color\r\n", "31 91\r\n", "40 100\r\n", "got hello\r\n", "unfinished"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %q", want, out)
		}
	}
	if r.Exit.Code != 3 || len(r.Stderr) != 0 {
		t.Errorf("%+v, stderr %q", r.Exit, r.Stderr)
	}
}

func TestInterruptOnTheTerminal(t *testing.T) {
	a := startAgent(t, "/")
	// No shell: one that gets the signal just before it starts its next command waits for that.
	id := a.begin(t, wire.ExecStart{Argv: []string{"sleep", "1000"}, TTY: &wire.TTY{Cols: 80, Rows: 24}})
	if _, err := a.Bytes("POST", "/execs/"+id+"/stdin", strings.NewReader("\x03")); err != nil {
		t.Fatal(err)
	}
	if r := a.finish(t, id); r.Exit.Code != 130 || r.Exit.Signal != "SIGINT" {
		t.Errorf("%+v", r.Exit)
	}
}

func TestManyExecsAtOnce(t *testing.T) {
	a := startAgent(t, "/")
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r, err := a.Run(fmt.Sprintf("many-%d", i), sh(fmt.Sprintf("echo %d; exit %d", i, i)))
			if err != nil || string(r.Stdout) != fmt.Sprintf("%d\n", i) || r.Exit.Code != i {
				t.Errorf("%d: %q %+v %v", i, r.Stdout, r.Exit, err)
			}
		}()
	}
	wg.Wait()
	var h wire.Hello
	if err := a.JSON("GET", "/hello", nil, &h); err != nil || len(h.Execs) != 0 {
		t.Errorf("%+v, %v", h, err)
	}
}
