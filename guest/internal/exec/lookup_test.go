package exec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"boxrun.dev/guest/internal/inroot"
)

// testRoot makes a root directory with the given files; a content that begins with "-> " is a symlink, and a path that ends
// in "*" an executable.
func testRoot(t *testing.T, files map[string]string) *inroot.Root {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, "*") {
			name, mode = strings.TrimSuffix(name, "*"), 0o755
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := inroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestLookupProgram(t *testing.T) {
	root := testRoot(t, map[string]string{
		"/usr/bin/tool*":    "x",
		"/usr/bin/data":     "not executable",
		"/opt/bin/data*":    "executable",
		"/work/run*":        "x",
		"/abs*":             "x",
		"/usr/bin/absolute": "-> /abs",
		"/usr/bin/climbs":   "-> ../../../../../../abs",
		"/usr/bin/outside":  "-> ../../../../../../../etc/hostname",
	})
	for _, c := range []struct {
		name, search string
		want         string
		code         int
		message      string
	}{
		{"tool", "/bin:/usr/bin", "/usr/bin/tool", 0, ""},
		{"absolute", "/usr/bin", "/usr/bin/absolute", 0, ""},
		{"climbs", "/usr/bin", "/usr/bin/climbs", 0, ""},
		{"outside", "/usr/bin", "", 127, "not found in PATH"},
		{"data", "/usr/bin:/opt/bin", "/opt/bin/data", 0, ""},
		{"data", "/usr/bin", "", 126, "permission denied"},
		{"foo", "/usr/bin:/bin", "", 127, `exec: "foo": not found in PATH (/usr/bin:/bin)`},
		{"run", "", "/work/run", 0, ""},
		{"run", ".", "/work/./run", 0, ""},
		{"./run", "/usr/bin", "/work/./run", 0, ""},
		{"/abs", "", "/abs", 0, ""},
		{"./none", "", "", 127, "no such file"},
		{"/usr/bin", "", "", 126, "permission denied"},
		{"", "/usr/bin", "", 127, "empty"},
	} {
		got, bad := lookupProgram(root, c.name, "/work", c.search)
		code, message := 0, ""
		if bad != nil {
			code, message = bad.code, bad.message
		}
		if got != c.want || code != c.code || !strings.Contains(message, c.message) {
			t.Errorf("%q in %q: got %q, %d, %q", c.name, c.search, got, code, message)
		}
	}
}

func TestEnvironmentFillsWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		given map[string]string
		tty   bool
		want  string
	}{
		{nil, false, "HOME=/home/bob PATH=" + defaultPath},
		{nil, true, "HOME=/home/bob PATH=" + defaultPath + " TERM=xterm-256color"},
		{map[string]string{"PATH": "/p", "HOME": "", "A": "b=c"}, true, "A=b=c HOME= PATH=/p TERM=xterm-256color"},
	} {
		list, _ := environment(c.given, "/home/bob", c.tty)
		if got := strings.Join(list, " "); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
