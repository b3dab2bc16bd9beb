package reclaim

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFiles(t *testing.T) {
	for _, try := range []struct {
		name, meminfo string
		// last is what is asked for last.
		last string
	}{
		{"all but what is kept", "MemTotal: 1000000 kB\nActive(anon): 500000 kB\nActive(file):       30000 kB\nInactive(file):      7000 kB\nSwapTotal:             0 kB\n", "4333568"},
		{"a chunk at a time", "Active(file): 0 kB\nInactive(file): 65536 kB\nSwapTotal: 0 kB\n", "16777216"},
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
			if err != nil || string(asked) != try.last {
				t.Errorf("asked for %q (%v), want %q", asked, err, try.last)
			}
		})
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
