package boot

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/wire"
)

type memoryNote struct{ text []byte }

func (n *memoryNote) load() ([]byte, error) {
	if n.text == nil {
		return nil, errors.New("nothing noted")
	}
	return n.text, nil
}

func (n *memoryNote) save(text []byte) error {
	n.text = text
	return nil
}

// testBox is a box that is started again and again.
type testBox struct {
	t    *testing.T
	dir  string
	root *inroot.Root
	note memoryNote
}

func newTestBox(t *testing.T) *testBox {
	dir := t.TempDir()
	root, err := inroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return &testBox{t: t, dir: dir, root: root}
}

func (b *testBox) start(name, server string) string {
	e := etcFiles{root: b.root, note: &b.note}
	return e.update(name, "", &wire.Network{Address: "10.0.2.15/24", DNS: []string{server}})
}

func (b *testBox) path(name string) string { return filepath.Join(b.dir, "etc", name) }

func (b *testBox) write(name, text string) {
	b.t.Helper()
	_ = os.MkdirAll(filepath.Join(b.dir, "etc"), 0o755)
	if err := os.WriteFile(b.path(name), []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *testBox) want(name, text string) {
	b.t.Helper()
	got, err := os.ReadFile(b.path(name))
	if err != nil || string(got) != text {
		b.t.Errorf("/etc/%s: %q, %v; want %q", name, got, err, text)
	}
}

const devHosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.2.15\tdev\n"

func TestFirstStartReplacesWhatTheImageBrought(t *testing.T) {
	b := newTestBox(t)
	b.write("hosts", "127.0.0.1 builder, and much more than will be there in the end, so that some of it could be left behind\n")
	b.write("hostname", "builder\n")
	if err := os.Symlink("/run/systemd/resolve/stub-resolv.conf", b.path("resolv.conf")); err != nil {
		t.Fatal(err)
	}
	if name := b.start("dev", "192.0.2.1"); name != "dev" {
		t.Errorf("the box is called %s", name)
	}
	b.want("hosts", devHosts)
	b.want("hostname", "dev\n")
	b.want("resolv.conf", "nameserver 192.0.2.1\n")
}

func TestUsersChangesStay(t *testing.T) {
	b := newTestBox(t)
	b.start("dev", "192.0.2.1")
	b.write("hosts", devHosts+"10.9.8.7 db.internal\n")
	b.write("hostname", "other\n")
	b.write("resolv.conf", "nameserver 192.0.2.53\n")
	for range 2 {
		if name := b.start("dev", "192.0.2.2"); name != "other" {
			t.Errorf("the box is called %s", name)
		}
		b.want("hosts", devHosts+"10.9.8.7 db.internal\n")
		b.want("hostname", "other\n")
		b.want("resolv.conf", "nameserver 192.0.2.53\n")
	}
	// Gone or empty, they are the agent's again; and the names agree.
	os.Remove(b.path("hosts"))
	b.write("resolv.conf", "")
	b.start("dev", "192.0.2.3")
	b.want("hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.2.15\tother\n")
	b.want("resolv.conf", "nameserver 192.0.2.3\n")
}

func TestWhatNobodyChangedFollowsTheHost(t *testing.T) {
	b := newTestBox(t)
	b.start("dev", "192.0.2.1")
	b.start("longer-than-before", "2001:db8::1")
	b.want("hostname", "longer-than-before\n")
	b.want("resolv.conf", "nameserver 2001:db8::1\n")
	b.start("dev", "192.0.2.1")
	b.want("hosts", devHosts)
}

func TestStartWritesNothingWhereNothingIsNew(t *testing.T) {
	b := newTestBox(t)
	b.start("dev", "192.0.2.1")
	var before [3]os.FileInfo
	names := [3]string{"hosts", "hostname", "resolv.conf"}
	for i, name := range names {
		before[i], _ = os.Stat(b.path(name))
	}
	b.start("dev", "192.0.2.1")
	for i, name := range names {
		after, err := os.Stat(b.path(name))
		if err != nil || !os.SameFile(before[i], after) || !after.ModTime().Equal(before[i].ModTime()) {
			t.Errorf("/etc/%s was written again", name)
		}
	}
}

func TestBoxComesUpWithAnEtcThatTakesNothing(t *testing.T) {
	b := newTestBox(t)
	for _, name := range []string{"hosts", "hostname", "resolv.conf"} {
		if err := os.MkdirAll(b.path(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if name := b.start("dev", "192.0.2.1"); name != "dev" {
		t.Errorf("the box is called %s", name)
	}
}

func TestWorkdirIsMade(t *testing.T) {
	b := newTestBox(t)
	b.write("file", "")
	makeWorkdir(b.root, "/workspace/app")
	if st, err := os.Stat(filepath.Join(b.dir, "workspace/app")); err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", st, err)
	}
	// Where a file is in the way the box comes up all the same.
	makeWorkdir(b.root, "/etc/file/app")
	makeWorkdir(b.root, "")
}
