package boot

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"boxrun.dev/guest/internal/sys"
)

// LoadModules loads kernel modules in the given order, which must put each behind what it needs. One that is loaded
// already is no error.
func LoadModules(paths []string) error {
	for _, path := range paths {
		if err := loadModule(path); err != nil {
			return fmt.Errorf("load module %s: %w", path, err)
		}
	}
	return nil
}

func loadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	flags := 0
	switch filepath.Ext(path) {
	case ".xz", ".gz", ".zst":
		flags = 4 // MODULE_INIT_COMPRESSED_FILE
	}
	if err := sys.LoadModule(int(f.Fd()), flags); err != nil && err != syscall.EEXIST {
		return err
	}
	return nil
}
