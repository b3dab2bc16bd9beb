package usage

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"boxrun.dev/guest/internal/wire"
)

func fakeProc(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var quiet = map[string]string{
	"stat":    "cpu  10 1 20 9000 500 2 3 4 5 6\ncpu0 10 1 20 9000 500 2 3 4 5 6\nintr 1\n",
	"meminfo": "MemTotal:        1000 kB\nMemFree:          100 kB\nMemAvailable:     700 kB\n",
	"net/dev": "Inter-|   Receive                        |  Transmit\n face |bytes    packets|bytes\n    lo: 99 1 0 0 0 0 0 0 99 1 0 0 0 0 0 0\n",
	"1/stat":  "1 (boxrun-agent) S 0 1 1 0 -1 4194560 0",
	"2/stat":  "2 (kthreadd) S 0 0 0 0 -1 2129984 0",
	"7/stat":  "7 (odd) name) (x) R 1 7 7 0 -1 4194304 0",
	"8/stat":  "8 (gone",
	"self":    "no process",
}

func TestCountsWhatTheKernelSays(t *testing.T) {
	var u wire.Usage
	if err := Read(fakeProc(t, quiet), &u); err != nil {
		t.Fatal(err)
	}
	if u.CPUMS != 360 || u.MemoryTotal != 1000<<10 || u.MemoryUsed != 300<<10 || u.Network != nil {
		t.Errorf("%+v", u)
	}
	// Process 1 is not this one, and counts here.
	if u.Processes != 2 {
		t.Errorf("%d processes", u.Processes)
	}
}

func TestSumsAllInterfaces(t *testing.T) {
	files := map[string]string{}
	for name, content := range quiet {
		files[name] = content
	}
	files["net/dev"] += "  eth0:5000 1 0 0 0 0 0 0 70 1 0 0 0 0 0 0\n  eth1: 1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n"
	var u wire.Usage
	if err := Read(fakeProc(t, files), &u); err != nil {
		t.Fatal(err)
	}
	if u.Network == nil || *u.Network != (wire.Traffic{Received: 5001, Sent: 72}) {
		t.Errorf("%+v", u.Network)
	}
}

func TestSaysWhatItCannotRead(t *testing.T) {
	var u wire.Usage
	if err := Read(t.TempDir(), &u); err == nil {
		t.Error("an empty proc was read")
	}
}

func TestThisMachine(t *testing.T) {
	var u wire.Usage
	if err := Read("/proc", &u); err != nil {
		t.Fatal(err)
	}
	if u.CPUMS == 0 || u.MemoryUsed == 0 || u.MemoryUsed > u.MemoryTotal {
		t.Errorf("%+v", u)
	}
	// The go tool, at least, which is not this process.
	if _, err := os.Stat("/proc/" + strconv.Itoa(os.Getppid())); err == nil && u.Processes == 0 {
		t.Error("no processes")
	}
}
