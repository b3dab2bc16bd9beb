package watch

import (
	"fmt"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/wire"
)

type watched struct {
	*Watch
	dir   string
	lines chan string
	ended chan error
}

// start watches path of a new root; prepare makes what is there before.
func start(t *testing.T, path string, recursive bool, prepare func(dir string)) *watched {
	t.Helper()
	dir := t.TempDir()
	prepare(dir)
	root, err := inroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Open(root, path, recursive)
	if err != nil {
		t.Fatal(err)
	}
	out := &watched{w, dir, make(chan string, 100_000), make(chan error, 1)}
	go func() {
		out.ended <- w.Run(func(c wire.Change) error {
			out.lines <- text(c)
			return nil
		}, func() error { return nil })
		close(out.lines)
	}()
	t.Cleanup(func() {
		w.Stop()
		for range out.lines {
		}
		w.Close()
		root.Close()
	})
	return out
}

func text(c wire.Change) string {
	name := func(s *string, b []byte) string {
		if s != nil {
			return *s
		}
		return fmt.Sprintf("%q", b)
	}
	out := c.Event
	if c.Event == "overflow" {
		return out
	}
	if c.Event == "renamed" {
		out += " " + name(c.From, c.FromB64)
	}
	out += " " + name(c.Name, c.NameB64)
	if c.Dir {
		out += "/"
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *watched) path(name string) string { return filepath.Join(w.dir, name) }

func (w *watched) touch(t *testing.T, name string) {
	t.Helper()
	must(t, os.WriteFile(w.path(name), nil, 0o644))
}

// until collects what is told up to the creation of a mark.
func (w *watched) until(t *testing.T, mark string) []string {
	t.Helper()
	w.touch(t, mark)
	var got []string
	for line := range w.lines {
		if line == "created "+filepath.Base(mark) {
			return got
		}
		got = append(got, line)
	}
	t.Fatalf("it ended before the mark: %v", got)
	return nil
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

func nothing(string) {}

func TestADirectorysFilesAreToldOf(t *testing.T) {
	w := start(t, "/", false, nothing)
	must(t, os.WriteFile(w.path("a"), []byte("x"), 0o644))
	must(t, os.Rename(w.path("a"), w.path("b\xff")))
	must(t, os.Remove(w.path("b\xff")))
	must(t, os.Mkdir(w.path("d"), 0o755))
	w.touch(t, "d/not told")
	expect(t, w.until(t, "mark"), "created a", "changed a", `renamed a "b\xff"`, `removed "b\xff"`, "created d/")
}

func TestATreesNewDirectoriesAreWatchedWithAllThatIsInThem(t *testing.T) {
	w := start(t, "/", true, func(dir string) { must(t, os.MkdirAll(filepath.Join(dir, "old/deep"), 0o755)) })
	w.touch(t, "old/deep/file")
	must(t, os.MkdirAll(w.path("new/a/b"), 0o755))
	w.touch(t, "new/a/b/file")
	var got []string
	for range 5 {
		got = append(got, <-w.lines)
	}
	slices.Sort(got)
	expect(t, got, "created new/", "created new/a/", "created new/a/b/", "created new/a/b/file", "created old/deep/file")
	must(t, os.Rename(w.path("new"), w.path("old/moved")))
	w.touch(t, "old/moved/a/b/later")
	must(t, os.RemoveAll(w.path("old/moved/a/b")))
	got = w.until(t, "mark2")
	expect(t, got[:2], "renamed new old/moved/", "created old/moved/a/b/later")
	if !slices.Contains(got, "removed old/moved/a/b/") || !slices.Contains(got, "removed old/moved/a/b/file") {
		t.Errorf("got %v", got)
	}
}

func TestWhatLeavesAndComesFromOutsideIsRemovedAndCreated(t *testing.T) {
	w := start(t, "/in", true, func(dir string) {
		must(t, os.MkdirAll(filepath.Join(dir, "in/leaves/x"), 0o755))
		must(t, os.MkdirAll(filepath.Join(dir, "out/comes/y"), 0o755))
	})
	must(t, os.Rename(w.path("in/leaves"), w.path("out/left")))
	w.touch(t, "out/left/x/not told")
	must(t, os.Rename(w.path("out/comes"), w.path("in/came")))
	var got []string
	for range 3 {
		got = append(got, <-w.lines)
	}
	expect(t, got, "removed leaves/", "created came/", "created came/y/")
	w.touch(t, "in/came/y/file")
	expect(t, w.until(t, "in/mark2"), "created came/y/file")
}

func TestAFileIsWatchedByItsName(t *testing.T) {
	w := start(t, "/file", false, func(dir string) { must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644)) })
	next := func(want string) {
		t.Helper()
		if got := <-w.lines; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	w.touch(t, "other")
	// In place: to cut it first is a change of its own, which is told for itself where the watcher is quick.
	file, err := os.OpenFile(w.path("file"), os.O_WRONLY, 0)
	must(t, err)
	_, err = file.WriteString("x")
	must(t, err)
	must(t, file.Close())
	next("changed ")
	must(t, os.Rename(w.path("file"), w.path("backup")))
	next("removed ")
	must(t, os.Rename(w.path("other"), w.path("file")))
	next("created ")
	must(t, os.Remove(w.path("file")))
	next("removed ")
}

func TestAWatchEndsWithItsDirectory(t *testing.T) {
	for _, how := range []func(w *watched){
		func(w *watched) { must(t, os.Remove(w.path("in"))) },
		func(w *watched) { must(t, os.Rename(w.path("in"), w.path("elsewhere"))) },
	} {
		w := start(t, "/in", true, func(dir string) { must(t, os.Mkdir(filepath.Join(dir, "in"), 0o755)) })
		how(w)
		if err := <-w.ended; err != nil {
			t.Error(err)
		}
		var got []string
		for line := range w.lines {
			got = append(got, line)
		}
		expect(t, got, "removed /")
	}
}

func TestAnOverflowIsToldAndTheTreeIsWatchedOn(t *testing.T) {
	limit, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	must(t, err)
	var events int
	_, err = fmt.Sscan(string(limit), &events)
	must(t, err)
	if events > 100_000 {
		t.Skipf("a queue of %d events is not filled here", events)
	}
	dir := t.TempDir()
	root, err := inroot.Open(dir)
	must(t, err)
	defer root.Close()
	w, err := Open(root, "/", true)
	must(t, err)
	defer w.Close()
	for n := range events + 10 {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(n)), nil, 0o644))
	}
	must(t, os.Mkdir(filepath.Join(dir, "unseen"), 0o755))
	overflows := 0
	_ = w.Run(func(c wire.Change) error {
		if c.Event == "overflow" {
			overflows++
		}
		if c.Event == "created" && c.Name != nil && *c.Name == "unseen/later" {
			w.Stop()
		}
		return nil
	}, func() error {
		if overflows > 0 {
			return os.WriteFile(filepath.Join(dir, "unseen/later"), nil, 0o644)
		}
		return nil
	})
	if overflows == 0 {
		t.Error("nothing was told of the overflow")
	}
}

func TestATreeThatIsTooLargeIsRefused(t *testing.T) {
	dir := t.TempDir()
	for n := range maxDirectories + 1 {
		must(t, os.Mkdir(filepath.Join(dir, fmt.Sprint(n)), 0o755))
	}
	root, err := inroot.Open(dir)
	must(t, err)
	defer root.Close()
	if _, err := Open(root, "/", true); err != ErrTooMany {
		t.Errorf("got %v", err)
	}
	w, err := Open(root, "/", false)
	must(t, err)
	must(t, w.Close())
}

// Whoever keeps a list by what is told has, in the end, what is there.
func TestAListKeptByWhatIsToldIsTheTree(t *testing.T) {
	for seed := range int64(20) {
		random := rand.New(rand.NewSource(seed))
		w := start(t, "/", true, nothing)
		name := func() string {
			parts := make([]string, 1+random.Intn(3))
			for i := range parts {
				parts[i] = string(rune('a' + random.Intn(3)))
			}
			return strings.Join(parts, "/")
		}
		for range 300 {
			switch random.Intn(6) {
			case 0, 1:
				_ = os.MkdirAll(w.path(name()), 0o755)
			case 2:
				_ = os.WriteFile(w.path(name()), []byte("x"), 0o644)
			case 3:
				_ = os.RemoveAll(w.path(name()))
			default:
				_ = os.Rename(w.path(name()), w.path(name()))
			}
		}
		list := map[string]bool{}
		drop := func(name string) {
			for other := range list {
				if within(other, name) {
					delete(list, other)
				}
			}
		}
		there := map[string]bool{}
		must(t, filepath.WalkDir(w.dir, func(path string, _ os.DirEntry, err error) error {
			if rel, _ := filepath.Rel(w.dir, path); rel != "." {
				there[rel] = true
			}
			return err
		}))
		var told []string
		late := time.After(10 * time.Second)
		for !maps.Equal(list, there) {
			var line string
			select {
			case line = <-w.lines:
			case <-late:
				t.Errorf("seed %d: %v is there, and by what was told %v:\n%s", seed, there, list, strings.Join(told, "\n"))
				return
			}
			told = append(told, line)
			parts := strings.Split(strings.TrimSuffix(line, "/"), " ")
			switch parts[0] {
			case "created":
				list[parts[1]] = true
			case "removed":
				drop(parts[1])
			case "renamed":
				moved := map[string]bool{parts[2]: true}
				for other := range list {
					if within(other, parts[1]) {
						moved[parts[2]+other[len(parts[1]):]] = true
					}
				}
				drop(parts[1])
				drop(parts[2])
				for other := range moved {
					list[other] = true
				}
			}
		}
	}
}
