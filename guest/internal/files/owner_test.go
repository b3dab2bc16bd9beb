package files

import (
	"archive/tar"
	"fmt"
	"os"
	"strings"
	"testing"

	"boxrun.dev/guest/internal/wire"
)

func (b box) owner(t *testing.T, path string) string {
	t.Helper()
	st := b.stat(t, path)
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}

func ownedBox(t *testing.T) box {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to make files of somebody else")
	}
	b := newBox(t)
	check(t, os.WriteFile(b.host("/etc/passwd"), []byte("app:x:1000:1001::/home/app:/bin/sh\n"), 0o644))
	check(t, os.WriteFile(b.host("/etc/group"), []byte("staff:x:50:\n"), 0o644))
	return b
}

func TestOwnerIsLookedUpInTheBox(t *testing.T) {
	b := ownedBox(t)
	for spec, want := range map[string]string{
		"app": "1000:1001", "app:staff": "1000:50", "1000660000": "1000660000:0", "1000660000:7": "1000660000:7", "0": "0:0",
	} {
		o, err := b.Ownership(spec, true)
		check(t, err)
		check(t, b.Write("/made/"+spec+"/f", nil, o, strings.NewReader("x")))
		if got := b.owner(t, "/made/"+spec+"/f"); got != want {
			t.Errorf("%s: %s, want %s", spec, got, want)
		}
		if got := b.owner(t, "/made/"+spec); got != want {
			t.Errorf("the directory made for %s: %s, want %s", spec, got, want)
		}
	}
	for _, spec := range []string{"nobody-here", "app:nothing", "4294967295"} {
		_, err := b.Ownership(spec, true)
		wantCode(t, err, wire.BadRequest, "owner")
	}
}

func TestWhatIsThereKeepsItsOwnerUnlessAllIsMeant(t *testing.T) {
	b := ownedBox(t)
	entries := func() *tar.Header { return &tar.Header{Typeflag: tar.TypeDir, Name: "old/"} }
	upload := func(o *Ownership) {
		check(t, b.Untar("/d", o, archive(t, *entries(),
			tar.Header{Typeflag: tar.TypeReg, Name: "old/file"},
			tar.Header{Typeflag: tar.TypeReg, Name: "new/file"},
			tar.Header{Typeflag: tar.TypeDir, Name: "newdir/"},
			tar.Header{Typeflag: tar.TypeSymlink, Name: "old/link", Linkname: "x"})))
	}
	check(t, b.Write("/d/old/file", nil, nil, strings.NewReader("")))
	check(t, os.Chown(b.host("/d/old"), 7, 8))
	check(t, os.Chown(b.host("/d/old/file"), 9, 10))
	fresh, err := b.Ownership("app", false)
	check(t, err)
	upload(fresh)
	for path, want := range map[string]string{
		"/d": "0:0", "/d/old": "7:8", "/d/old/file": "9:10", "/d/new": "1000:1001", "/d/new/file": "1000:1001", "/d/newdir": "1000:1001",
		"/d/old/link": "1000:1001",
	} {
		if got := b.owner(t, path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	check(t, b.Write("/d/old/file", nil, fresh, strings.NewReader("")))
	if got := b.owner(t, "/d/old/file"); got != "9:10" {
		t.Errorf("a file that is written again: %s", got)
	}
	all, err := b.Ownership("app:staff", true)
	check(t, err)
	upload(all)
	for _, path := range []string{"/d/old", "/d/old/file", "/d/old/link", "/d/new/file"} {
		if got := b.owner(t, path); got != "1000:50" {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestLargeOwnersComeBack(t *testing.T) {
	b := ownedBox(t)
	owners := map[string][2]int{"/src/a": {262144, 524289}, "/src/b": {1000660000, 1000660001}, "/src/d": {4294967294, 3}, "/src/h": {2097152, 1}}
	for path, o := range owners {
		check(t, b.Write(path, nil, nil, strings.NewReader(path)))
		check(t, os.Chown(b.host(path), o[0], o[1]))
	}
	b.holed(t, "/src/s", 1<<20)
	check(t, os.Chown(b.host("/src/s"), 1000660000, 2097152))
	owners["/src/s"] = [2]int{1000660000, 2097152}
	for _, full := range []bool{false, true} {
		check(t, b.Untar("/dst", nil, b.pack(t, "/src", full)))
		for path, o := range owners {
			if got, want := b.owner(t, "/dst"+path[4:]), fmt.Sprintf("%d:%d", o[0], o[1]); got != want {
				t.Errorf("%s: %s, want %s", path, got, want)
			}
		}
	}
}
