package files

import (
	"os"
	"syscall"
	"testing"

	"boxrun.dev/guest/internal/wire"
)

func TestStatDescribesALinkItselfOrWhatItLeadsToInsideTheRoot(t *testing.T) {
	b := newBox(t)
	check(t, os.WriteFile(b.host("file"), []byte("12345"), 0o640))
	check(t, os.Symlink("/file", b.host("link")))
	check(t, os.Symlink("/file\xff", b.host("odd")))
	entry, err := b.Stat("/file", false)
	check(t, err)
	if entry.Type != "file" || entry.Size != 5 || entry.Mode != "0640" || entry.Name != nil {
		t.Errorf("got %+v", entry)
	}
	link, err := b.Stat("/link", false)
	check(t, err)
	if link.Type != "symlink" || link.Target == nil || *link.Target != "/file" {
		t.Errorf("got %+v", link)
	}
	odd, err := b.Stat("/odd", false)
	check(t, err)
	if odd.Target != nil || string(odd.TargetB64) != "/file\xff" {
		t.Errorf("got %+v", odd)
	}
	followed, err := b.Stat("/link", true)
	check(t, err)
	if followed.Type != "file" || followed.Size != 5 {
		t.Errorf("got %+v", followed)
	}
	if root, err := b.Stat("/../..", true); err != nil || root.Type != "dir" {
		t.Errorf("got %+v, %v", root, err)
	}
	_, err = b.Stat("/odd", true)
	wantCode(t, err, wire.NotFound, "/odd")
	_, err = b.Stat("/file/below", false)
	wantCode(t, err, wire.BadRequest, "/file/below")
}

func TestMkdirMakesOneDirectoryOrAllOfThem(t *testing.T) {
	b := newBox(t)
	check(t, b.Mkdir("/a", false, nil))
	wantCode(t, b.Mkdir("/a/", false, nil), wire.Exists, "/a")
	wantCode(t, b.Mkdir("/x/y", false, nil), wire.NotFound, "/x/y")
	check(t, b.Mkdir("/x/y", true, nil))
	check(t, b.Mkdir("/x/y", true, nil))
	check(t, os.WriteFile(b.host("file"), nil, 0o644))
	wantCode(t, b.Mkdir("/file", true, nil), wire.BadRequest, "/file")
	wantCode(t, b.Mkdir("/", false, nil), wire.BadRequest, "not a name")
	check(t, os.Symlink(b.outside, b.host("out")))
	wantCode(t, b.Mkdir("/out/new", false, nil), wire.NotFound, "/out/new")
	if _, err := os.Lstat(b.outside + "/new"); err == nil {
		t.Error("a directory was made outside of the root")
	}
}

func TestRenameReplacesOnlyWhatItMay(t *testing.T) {
	b := newBox(t)
	check(t, os.WriteFile(b.host("one"), []byte("1"), 0o644))
	check(t, os.WriteFile(b.host("two"), []byte("2"), 0o644))
	wantCode(t, b.Rename("/one", "/two", false), wire.Exists, "/two")
	check(t, b.Rename("/one", "/two", true))
	if text, _ := b.read(t, "/two"); text != "1" {
		t.Errorf("got %q", text)
	}
	wantCode(t, b.Rename("/one", "/three", true), wire.NotFound, "/one")
	wantCode(t, b.Rename("/two", "/no/three", true), wire.NotFound, "/no/three")
	check(t, b.Mkdir("/dir/sub", true, nil))
	check(t, b.Mkdir("/empty", false, nil))
	wantCode(t, b.Rename("/dir", "/dir/sub/dir", false), wire.BadRequest, "/dir")
	wantCode(t, b.Rename("/two", "/dir", true), wire.BadRequest, "/dir")
	wantCode(t, b.Rename("/empty", "/dir", true), wire.Exists, "/dir")
	check(t, b.Rename("/dir/", "/empty/", true))
	if _, err := b.Stat("/empty/sub", false); err != nil {
		t.Error(err)
	}
	check(t, os.Symlink("/two", b.host("link")))
	check(t, b.Rename("/link", "/link2", false))
	if st, err := os.Lstat(b.host("link2")); err != nil || st.Mode().Type() != os.ModeSymlink {
		t.Errorf("got %v, %v", st, err)
	}
	wantCode(t, b.Rename("/", "/x", false), wire.BadRequest, "not a name")
	wantCode(t, b.Rename("relative", "/x", false), wire.BadRequest, "absolute")
}

func TestRenameToAnotherFileSystemSaysWhatToDo(t *testing.T) {
	b := newBox(t)
	check(t, os.Mkdir(b.host("volume"), 0o755))
	if err := syscall.Mount("tmpfs", b.host("volume"), "tmpfs", 0, ""); err != nil {
		t.Skipf("mount a tmpfs: %v", err)
	}
	defer syscall.Unmount(b.host("volume"), 0)
	check(t, os.WriteFile(b.host("file"), nil, 0o644))
	wantCode(t, b.Rename("/file", "/volume/file", false), wire.BadRequest, "copy it")
}
