package reclaim

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestFiles(t *testing.T) {
	for _, try := range []struct {
		name, meminfo string
		asked         string
	}{
		{"all but what is kept", "MemTotal: 1000000 kB\nActive(anon): 500000 kB\nActive(file):       30000 kB\nInactive(file):      7000 kB\nSwapTotal:             0 kB\n", "4333568"},
		{"a chunk at a time", "Active(file): 0 kB\nInactive(file): 65536 kB\nSwapTotal: 0 kB\n", "16777216" + "16777216"},
		{"little", "Active(file): 12000 kB\nInactive(file): 20768 kB\nSwapTotal: 0 kB\n", ""},
		{"a VM that swaps", "Active(file): 120000 kB\nInactive(file): 207680 kB\nSwapTotal: 4 kB\n", ""},
	} {
		t.Run(try.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"meminfo": try.meminfo, "memory.reclaim": ""} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := Files(dir, dir); err != nil {
				t.Fatal(err)
			}
			asked, err := os.ReadFile(filepath.Join(dir, "memory.reclaim"))
			if err != nil || string(asked) != try.asked {
				t.Errorf("asked for %q (%v), want %q", asked, err, try.asked)
			}
		})
	}
}

// What cannot let go of more says EAGAIN, as a pipe with no room does.
func TestFilesWhereNothingMoreCanGo(t *testing.T) {
	dir := t.TempDir()
	text := []byte("Inactive(file): 4194304 kB\n")
	if err := os.WriteFile(filepath.Join(dir, "meminfo"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "memory.reclaim")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	fillPipe(t, path)
	if err := Files(dir, dir); err != nil {
		t.Error(err)
	}
}

func fillPipe(t *testing.T, path string) {
	t.Helper()
	file, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(file)
	for _, size := range []int{4096, 1} {
		for err = nil; err == nil; {
			_, err = syscall.Write(file, make([]byte, size))
		}
		if err != syscall.EAGAIN {
			t.Fatal(err)
		}
	}
}

func TestFilesWithoutTheController(t *testing.T) {
	dir := t.TempDir()
	text := []byte("Inactive(file): 65536 kB\n")
	if err := os.WriteFile(filepath.Join(dir, "meminfo"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Files(dir, filepath.Join(dir, "none")); err == nil {
		t.Error("no error where the kernel has no memory.reclaim")
	}
}
