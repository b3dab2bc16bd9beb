package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/wire"
)

// box is a root directory with a directory of secrets beside it.
type box struct {
	*Files
	dir     string
	outside string
}

func newBox(t *testing.T) box {
	t.Helper()
	dir := t.TempDir()
	b := box{dir: filepath.Join(dir, "root"), outside: filepath.Join(dir, "outside")}
	for _, d := range []string{b.dir, b.outside, filepath.Join(b.dir, "etc")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	check(t, os.WriteFile(filepath.Join(b.outside, "secret"), []byte("secret"), 0o644))
	root, err := inroot.Open(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	b.Files = New(root)
	return b
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b box) host(path string) string { return filepath.Join(b.dir, path) }

func (b box) read(t *testing.T, path string) (string, error) {
	t.Helper()
	c, err := b.Open(path)
	if err != nil {
		return "", err
	}
	defer c.Close()
	var out bytes.Buffer
	check(t, c.Send(&out))
	return out.String(), nil
}

func wantCode(t *testing.T, err error, code wire.Code, part string) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, part) {
		t.Errorf("got %v, want %s with %q", err, code, part)
	}
}

// tree lists everything below a directory.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	check(t, filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		names = append(names, strings.TrimPrefix(path, dir))
		return err
	}))
	return strings.Join(names, " ")
}

func TestWriteMakesParentsAndReadGivesItBack(t *testing.T) {
	b := newBox(t)
	for _, name := range []string{"/a/b/c.txt", "/with space", "/new\nline", "/\xff\xfe not utf-8", "/a/../dots", "/~$&?%"} {
		check(t, b.Write(name, nil, nil, strings.NewReader("content of "+name)))
		if got, err := b.read(t, name); err != nil || got != "content of "+name {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
	if st, err := os.Stat(b.host("/a/b")); err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("parent: %v, %v", st, err)
	}
}

func TestModes(t *testing.T) {
	b := newBox(t)
	mode := func(m uint32) *uint32 { return &m }
	perm := func(path string) os.FileMode {
		st, err := os.Stat(b.host(path))
		check(t, err)
		return st.Mode() & (os.ModePerm | os.ModeSetuid)
	}
	check(t, b.Write("/new", nil, nil, strings.NewReader("")))
	check(t, b.Write("/tool", mode(0o4751), nil, strings.NewReader("")))
	if perm("/new") != 0o644 || perm("/tool") != 0o751|os.ModeSetuid {
		t.Errorf("new files: %v, %v", perm("/new"), perm("/tool"))
	}
	check(t, os.Chmod(b.host("/new"), 0o600))
	check(t, b.Write("/new", nil, nil, strings.NewReader("again")))
	if perm("/new") != 0o600 {
		t.Errorf("a replaced file has mode %v, want its old one", perm("/new"))
	}
	check(t, b.Write("/new", mode(0o640), nil, strings.NewReader("again")))
	if perm("/new") != 0o640 {
		t.Errorf("a replaced file has mode %v, want the one given", perm("/new"))
	}
}

func TestReplacedFileKeepsItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make a file of somebody else")
	}
	b := newBox(t)
	check(t, os.WriteFile(b.host("/f"), nil, 0o644))
	check(t, os.Chown(b.host("/f"), 1234, 5678))
	check(t, b.Write("/f", nil, nil, strings.NewReader("x")))
	var st syscall.Stat_t
	check(t, syscall.Stat(b.host("/f"), &st))
	if st.Uid != 1234 || st.Gid != 5678 {
		t.Errorf("owner %d:%d", st.Uid, st.Gid)
	}
}

type cutOff struct{ left int }

var errCut = errors.New("connection lost")

func (c *cutOff) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errCut
	}
	n := min(len(p), c.left)
	c.left -= n
	return n, nil
}

func TestCutOffUploadLeavesNothing(t *testing.T) {
	b := newBox(t)
	before := tree(t, b.dir)
	wantCode(t, b.Write("/etc/new", nil, nil, &cutOff{200_000}), wire.IO, "connection lost")
	if after := tree(t, b.dir); after != before {
		t.Errorf("left behind: %s", after)
	}
	check(t, b.Write("/etc/old", nil, nil, strings.NewReader("old")))
	before = tree(t, b.dir)
	wantCode(t, b.Write("/etc/old", nil, nil, &cutOff{200_000}), wire.IO, "connection lost")
	if got, _ := b.read(t, "/etc/old"); got != "old" || tree(t, b.dir) != before {
		t.Errorf("the old file is now %q, the tree %s", got, tree(t, b.dir))
	}
}

func TestWhatCannotBeAFileIsRefused(t *testing.T) {
	b := newBox(t)
	check(t, syscall.Mkfifo(b.host("/fifo"), 0o644))
	check(t, os.Symlink("loop", b.host("/loop")))
	check(t, os.WriteFile(b.host("/file"), nil, 0o644))
	write := func(p string) error { return b.Write(p, nil, nil, strings.NewReader("x")) }
	read := func(p string) error { _, err := b.read(t, p); return err }
	list := func(p string) error { _, err := b.List(p); return err }
	for _, c := range []struct {
		name string
		err  error
		code wire.Code
		part string
	}{
		{"write directory", write("/etc"), wire.BadRequest, "is a directory"},
		{"write directory with slash", write("/etc/"), wire.BadRequest, "is a directory"},
		{"write root", write("/"), wire.BadRequest, "is a directory"},
		{"write fifo", write("/fifo"), wire.BadRequest, "not a regular file"},
		{"write loop", write("/loop"), wire.BadRequest, "symbolic links"},
		{"write relative", write("etc/x"), wire.BadRequest, "absolute"},
		{"write zero byte", write("/x\x00y"), wire.BadRequest, "absolute"},
		{"write below file", write("/file/x"), wire.BadRequest, "not a directory"},
		{"write long name", write("/" + strings.Repeat("x", 300)), wire.BadRequest, "too long"},
		{"read directory", read("/etc"), wire.BadRequest, "use tar"},
		{"read fifo", read("/fifo"), wire.BadRequest, "not a regular file"},
		{"read missing", read("/none"), wire.NotFound, "no such file"},
		{"read empty path", read(""), wire.BadRequest, "absolute"},
		{"list file", list("/file"), wire.BadRequest, "not a directory"},
		{"list missing", list("/none"), wire.NotFound, "no such file"},
		{"remove root", b.Remove("/"), wire.BadRequest, "not a name"},
		{"remove dots", b.Remove("/etc/.."), wire.BadRequest, "not a name"},
		{"remove missing", b.Remove("/none"), wire.NotFound, "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) { wantCode(t, c.err, c.code, c.part) })
	}
}

func TestRemoveTakesWholeDirectoriesAndLinksThemselves(t *testing.T) {
	b := newBox(t)
	check(t, b.Write("/d/e/f/g", nil, nil, strings.NewReader("x")))
	check(t, os.Symlink(b.outside, b.host("/d/e/out")))
	check(t, os.Symlink("/etc", b.host("/etclink")))
	check(t, b.Remove("/d/"))
	check(t, b.Remove("/etclink"))
	if got := tree(t, b.dir); got != " /etc" {
		t.Errorf("left: %s", got)
	}
	if got := tree(t, b.outside); got != " /secret" {
		t.Errorf("outside: %s", got)
	}
}

func TestListTellsWhatIsThere(t *testing.T) {
	b := newBox(t)
	check(t, b.Write("/d/file", nil, nil, strings.NewReader("12345")))
	check(t, os.Chtimes(b.host("/d/file"), time.Unix(1e9, 0), time.Unix(1e9, 0)))
	check(t, os.Mkdir(b.host("/d/dir"), 0o750))
	check(t, os.Symlink("nowhere", b.host("/d/link")))
	check(t, syscall.Mkfifo(b.host("/d/fifo"), 0o600))
	check(t, os.WriteFile(b.host("/d/\xff"), nil, 0o644))
	l, err := b.List("/d")
	check(t, err)
	defer l.Close()
	var out bytes.Buffer
	check(t, l.WriteJSON(&out))
	var listing struct{ Entries []wire.Entry }
	check(t, json.Unmarshal(out.Bytes(), &listing))
	var got []string
	for _, e := range listing.Entries {
		name := string(e.NameB64)
		if e.Name != nil {
			name = *e.Name
		}
		got = append(got, name+" "+e.Type+" "+e.Mode)
		switch name {
		case "file":
			if e.Size != 5 || e.MTime != 1e9 || int(e.UID) != os.Getuid() {
				t.Errorf("file: %+v", e)
			}
		case "link":
			if e.Target == nil || *e.Target != "nowhere" {
				t.Errorf("link: %+v", e)
			}
		}
	}
	want := "dir dir 0750|fifo other 0600|file file 0644|link symlink 0777|\xff file 0644"
	if strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
