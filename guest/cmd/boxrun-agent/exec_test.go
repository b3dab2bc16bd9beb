package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"boxrun.dev/guest/internal/wire"
)

func TestHello(t *testing.T) {
	a := startAgent(t, "/")
	var h wire.Hello
	if err := a.JSON("GET", "/hello", nil, &h); err != nil {
		t.Fatal(err)
	}
	if h.Agent != wire.AgentVersion || h.Protocol != 2 || !h.Setup || h.BootID != a.Greeting.BootID.String() || h.Execs == nil {
		t.Errorf("%+v", h)
	}
	failure(t, a.JSON("POST", "/setup", wire.Setup{}, nil), wire.Exists, "already")
	failure(t, a.JSON("GET", "/nothing", nil, nil), wire.BadRequest, "no such request")
}

func TestProgramsSleepNoLongerThanUsual(t *testing.T) {
	a := startAgent(t, "/")
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", a.pid))
	if err != nil || len(threads) == 0 {
		t.Fatal(threads, err)
	}
	for _, thread := range threads {
		file := filepath.Join("/proc", filepath.Base(thread), "timerslack_ns")
		if err := os.WriteFile(file, []byte("5000000"), 0); err != nil {
			t.Skip("needs the right to change another process's timer slack: ", err)
		}
	}
	r := a.run(t, wire.ExecStart{Argv: []string{"cat", "/proc/self/timerslack_ns"}, Cwd: "/"})
	if string(r.Stdout) != "50000\n" {
		t.Errorf("%q %+v", r.Stdout, r)
	}
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
	put := func(id string, s wire.ExecStart) error {
		o, err := a.Start(id, s)
		if err == nil {
			o.Close()
		}
		return err
	}
	failure(t, put("x", wire.ExecStart{}), wire.BadRequest, "argv is empty")
	failure(t, put("x", wire.ExecStart{Argv: []string{"a"}, Cwd: "rel"}), wire.BadRequest, "absolute")
	failure(t, put("x", wire.ExecStart{Argv: []string{"a"}, TimeoutMS: &negative}), wire.BadRequest, "timeout_ms")
	failure(t, put("x", wire.ExecStart{Argv: []string{"a"}, Env: map[string]string{"A=B": ""}}), wire.BadRequest, "env")
	failure(t, put("..x", sh("true")), wire.BadRequest, "exec id")
	failure(t, put("a%2Fb", sh("true")), wire.BadRequest, "exec id")
	failure(t, a.JSON("GET", "/execs/none", nil, nil), wire.NotFound, "none")
	id := a.begin(t, sh("sleep 100"))
	for name, body := range map[string]string{"a length": "abc", "want 5 bytes": "\x00\x00\x00\x05{}", "at most": "\xff\xff\xff\xff"} {
		_, err := a.Bytes("PUT", "/execs/x", strings.NewReader(body))
		failure(t, err, wire.BadRequest, name)
	}
	a.post(t, "/execs/forget", wire.Forget{IDs: []string{id, "none"}})
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
			o, err := a.Start("same", start)
			if err != nil {
				t.Error(err)
				return
			}
			defer o.Close()
			var s wire.ExecState
			if err := a.JSON("GET", "/execs/same", nil, &s); err != nil {
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
