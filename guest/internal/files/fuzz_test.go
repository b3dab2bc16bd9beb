package files

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"boxrun.dev/guest/internal/sys"
)

// odd has nanoseconds that no coarser unit holds.
var odd = time.Unix(1_767_323_045, 123_456_789)

// TestRandomTreesComeBackAsTheyWere packs trees of all that a file system allows and unpacks them, and compares every name's whole stat.
func TestRandomTreesComeBackAsTheyWere(t *testing.T) {
	for seed := range uint64(24) {
		b := newBox(t)
		g := &grower{Rand: rand.New(rand.NewPCG(seed, 13)), t: t, root: b.host("/src")}
		check(t, os.Mkdir(g.root, 0o755))
		g.grow("", 0)
		g.times(g.root)
		want := snapshot(t, b.host("/src"))
		check(t, b.Untar("/dst", nil, b.pack(t, "/src", true)))
		got := snapshot(t, b.host("/dst"))
		delete(got, "")
		delete(want, "")
		for name, w := range want {
			if got[name] != w {
				t.Fatalf("seed %d: %q is\n%s, want\n%s", seed, name, got[name], w)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d names, want %d", seed, len(got), len(want))
		}
		makeRemovable(b.dir)
	}
}

type grower struct {
	*rand.Rand
	t     *testing.T
	root  string
	files []string
}

func (g *grower) name() string {
	length := 1 + g.IntN(12)
	if g.IntN(10) == 0 {
		length = 255
	}
	name := make([]byte, length)
	for i := range name {
		for name[i] == 0 || name[i] == '/' {
			name[i] = byte(g.IntN(256))
		}
	}
	if s := string(name); s != "." && s != ".." {
		return s
	}
	return "dots"
}

func (g *grower) grow(below string, depth int) {
	for range g.IntN(8) {
		path := filepath.Join(g.root, below, g.name())
		switch kind := g.IntN(10); {
		case kind < 3 && depth < 4:
			if os.Mkdir(path, 0o755) == nil {
				g.grow(path[len(g.root):], depth+1)
			}
		case kind == 3:
			target := make([]byte, 0, 300)
			for range 1 + g.IntN(300) {
				target = append(target, byte(1+g.IntN(255)))
			}
			_ = os.Symlink(string(target), path)
		case kind == 4 && len(g.files) > 0:
			_ = os.Link(g.files[g.IntN(len(g.files))], path)
		case kind == 5:
			_ = syscall.Mkfifo(path, 0o600)
		default:
			g.file(path)
		}
	}
}

func (g *grower) file(path string) {
	f, err := os.Create(path)
	if err != nil {
		return // a name that is there already, as another kind
	}
	defer f.Close()
	sizes := []int{0, 1, 511, 512, 513, 4096, 65535, 65536, 65537, g.IntN(200_000), 300_000 + g.IntN(3_000_000)}
	size := sizes[g.IntN(len(sizes))]
	check(g.t, f.Truncate(int64(size)))
	for range g.IntN(4) {
		at := g.IntN(size + 1)
		data := bytes.Repeat([]byte{byte(g.IntN(256)), byte(g.IntN(256)), 0}, g.IntN(30_000))
		_, err := f.WriteAt(data[:min(len(data), size-at)], int64(at))
		check(g.t, err)
	}
	g.files = append(g.files, path)
}

// times gives everything its mode, owner and time, the deepest first.
func (g *grower) times(dir string) {
	entries, err := os.ReadDir(dir)
	check(g.t, err)
	for _, e := range entries {
		if e.IsDir() {
			g.times(filepath.Join(dir, e.Name()))
		}
		path := filepath.Join(dir, e.Name())
		if os.Geteuid() == 0 {
			ids := []int{0, 1000, 262144, 2097152, 1000660000, 4294967294}
			check(g.t, os.Lchown(path, ids[g.IntN(len(ids))], ids[g.IntN(len(ids))]))
		}
		if e.Type()&os.ModeSymlink == 0 {
			mode := uint32(g.IntN(0o10000))
			if os.Geteuid() != 0 {
				mode |= 0o700
			}
			check(g.t, syscall.Chmod(path, mode))
		}
		seconds := []int64{0, -1, 1, -1 << 31, 1 << 31, 1 << 33, g.Int64N(1 << 32)}
		check(g.t, sys.Utimesat(sys.AtFDCWD, path, seconds[g.IntN(len(seconds))], g.Int64N(1e9)))
	}
}

// snapshot says all that is to be kept of everything below a directory.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	first := map[uint64]string{}
	check(t, filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		var st syscall.Stat_t
		check(t, syscall.Lstat(path, &st))
		name := path[len(dir):]
		text := fmt.Sprintf("mode %o owner %d:%d time %d.%09d", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
		switch st.Mode & syscall.S_IFMT {
		case syscall.S_IFREG:
			if st.Nlink > 1 && first[st.Ino] != "" {
				text += " as " + first[st.Ino]
			}
			first[st.Ino] = name
			data, err := os.ReadFile(path)
			check(t, err)
			text += fmt.Sprintf(" size %d sum %x", len(data), sum(data))
		case syscall.S_IFLNK:
			target, err := os.Readlink(path)
			check(t, err)
			text += " to " + target
		}
		found[name] = text
		return err
	}))
	return found
}

func sum(data []byte) (h uint64) {
	for _, c := range data {
		h = h*1099511628211 + uint64(c) + 1
	}
	return h
}

func makeRemovable(dir string) {
	_ = filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
}
