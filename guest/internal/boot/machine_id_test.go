package boot

import (
	"os"
	"path/filepath"
	"testing"

	"boxrun.dev/guest/internal/inroot"
)

func TestABoxGetsAMachineIDOfItsOwnAndKeepsWhatItsUserMakesOfIt(t *testing.T) {
	const id, other = "0123456789abcdef0123456789abcdef", "ffffffffffffffffffffffffffffffff"
	for _, c := range []struct {
		name, image, note, want string
	}{
		{"the image has none", "", "", id + "\n"},
		{"the image has one, as all its boxes would", other + "\n", "", id + "\n"},
		{"a box of an older agent has one", other + "\n", `{"hosts":"00"}`, other + "\n"},
		{"a box of an older agent has none", "", `{"hosts":"00"}`, id + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "etc/machine-id")
			if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if c.image != "" {
				if err := os.WriteFile(file, []byte(c.image), 0o444); err != nil {
					t.Fatal(err)
				}
			}
			root, err := inroot.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			kept := &memoryNote{}
			if c.note != "" {
				kept.text = []byte(c.note)
			}
			start := func() string {
				e := etcFiles{root: root, note: kept}
				e.update("box", id, nil)
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
			if got := start(); got != c.want {
				t.Errorf("machine-id is %q, want %q", got, c.want)
			}
			if err := os.WriteFile(file, []byte(other+"\n"), 0o444); err != nil {
				t.Fatal(err)
			}
			if got := start(); got != other+"\n" {
				t.Errorf("after the user's own it is %q", got)
			}
		})
	}
}
