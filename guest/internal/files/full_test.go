package files

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

func hostFiles(t *testing.T) box {
	t.Helper()
	root, err := inroot.Open("/")
	check(t, err)
	t.Cleanup(func() { root.Close() })
	return box{Files: New(root), dir: "/"}
}

func (b box) pack(t *testing.T, path string, full bool) *bytes.Buffer {
	t.Helper()
	a, err := b.OpenTar(path)
	check(t, err)
	defer a.Close()
	out := new(bytes.Buffer)
	check(t, a.Write(out, full))
	return out
}

// unpacked reads a stream with Go's own reader: contents by name, and what is said to be incomplete.
func unpacked(t *testing.T, stream io.Reader) (contents map[string]string, incomplete map[string]string) {
	t.Helper()
	contents, incomplete = map[string]string{}, map[string]string{}
	in := tar.NewReader(stream)
	for {
		h, err := in.Next()
		if err == io.EOF {
			return contents, incomplete
		}
		check(t, err)
		if h.Typeflag == tar.TypeXGlobalHeader {
			incomplete[h.PAXRecords[complaintPath]] = h.PAXRecords[complaintReason]
			continue
		}
		data, err := io.ReadAll(in)
		check(t, err)
		contents[h.Name] = string(data)
	}
}

func TestFilesWhoseSizeSaysNothingHaveTheirContent(t *testing.T) {
	b := hostFiles(t)
	for _, path := range []string{"/proc/version", "/sys/class/net/lo/mtu", "/proc/cpuinfo"} {
		want, err := os.ReadFile(path)
		check(t, err)
		if got, err := b.read(t, path); err != nil || got != string(want) {
			t.Errorf("%s: read %q, %v", path, got, err)
		}
		for _, full := range []bool{false, true} {
			contents, _ := unpacked(t, b.pack(t, path, full))
			if got := contents[path[strings.LastIndexByte(path, '/')+1:]]; got != string(want) {
				t.Errorf("%s: in the tar %q", path, got)
			}
		}
	}
}

func TestWhatCannotBeReadIsNamedAndTheRestComes(t *testing.T) {
	b := hostFiles(t)
	contents, incomplete := unpacked(t, b.pack(t, "/proc/self", true))
	want, err := os.ReadFile("/proc/self/cmdline")
	check(t, err)
	if contents["cmdline"] != string(want) {
		t.Errorf("cmdline is %q", contents["cmdline"])
	}
	if !strings.Contains(incomplete["mem"], "input/output error") {
		t.Errorf("mem is not among what is incomplete: %v", incomplete)
	}
	a, err := b.OpenTar("/proc/self")
	check(t, err)
	defer a.Close()
	if err := a.Write(io.Discard, false); err == nil {
		t.Error("a tar with files missing passed for a whole one")
	}
	_, err = b.read(t, "/proc/self/mem")
	wantCode(t, err, wire.IO, "input/output error")
}

func TestFileThatShrinksIsNamed(t *testing.T) {
	b := newBox(t)
	check(t, os.WriteFile(b.host("/f"), make([]byte, 3*headSize), 0o644))
	file, err := os.Open(b.host("/f"))
	check(t, err)
	defer file.Close()
	var out bytes.Buffer
	short, err := fill(&out, "f", io.NewSectionReader(file, 0, 4*headSize), 4*headSize)
	if err != nil || !short || out.Len() != 4*headSize {
		t.Errorf("short %v, %d bytes, %v", short, out.Len(), err)
	}
}

func (b box) stat(t *testing.T, path string) (st syscall.Stat_t) {
	t.Helper()
	check(t, syscall.Lstat(b.host(path), &st))
	return st
}

// holed makes a file with data at the given offsets, 5 bytes each, and holes elsewhere.
func (b box) holed(t *testing.T, path string, size int64, data ...int64) {
	t.Helper()
	f, err := os.Create(b.host(path))
	check(t, err)
	defer f.Close()
	check(t, f.Truncate(size))
	for _, at := range data {
		_, err := f.WriteAt([]byte("data!"), at)
		check(t, err)
	}
}

func TestSparseFilesStaySparseAndWhole(t *testing.T) {
	b := newBox(t)
	const mib = 1 << 20
	check(t, os.Mkdir(b.host("/src"), 0o755))
	b.holed(t, "/src/hole", 40*mib+5)
	b.holed(t, "/src/begin", 40*mib, 0)
	b.holed(t, "/src/end", 40*mib, 40*mib-5)
	b.holed(t, "/src/many", 40*mib+1, 5*mib, 5*mib+70_000, 20*mib+3, 30*mib)
	b.holed(t, "/src/small", 9000, 4096)
	check(t, os.Chtimes(b.host("/src/many"), odd, odd))
	check(t, os.Link(b.host("/src/many"), b.host("/src/zlink")))
	stream := b.pack(t, "/src", true)
	if stream.Len() > 2*mib {
		t.Errorf("the stream has %d bytes", stream.Len())
	}
	check(t, b.Untar("/dst", nil, stream))
	for _, name := range []string{"/hole", "/begin", "/end", "/many", "/small", "/zlink"} {
		want, err := os.ReadFile(b.host("/src" + name))
		check(t, err)
		got, err := os.ReadFile(b.host("/dst" + name))
		check(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: other content", name)
		}
		if blocks := b.stat(t, "/dst"+name).Blocks; blocks*512 > mib {
			t.Errorf("%s takes %d bytes", name, blocks*512)
		}
	}
	if got := b.stat(t, "/dst/many"); got.Mtim.Nano() != odd.UnixNano() {
		t.Errorf("its time is %v", got.Mtim)
	}
}

func TestFileOfZerosThatIsNoSparseOneStaysAsItIs(t *testing.T) {
	b := newBox(t)
	check(t, b.Write("/src/zeros", nil, nil, bytes.NewReader(make([]byte, 1<<20))))
	check(t, b.Untar("/dst", nil, b.pack(t, "/src", true)))
	if blocks := b.stat(t, "/dst/zeros").Blocks; blocks*512 < 1<<20 {
		t.Errorf("it takes %d bytes", blocks*512)
	}
}

func TestFullTarBeginsWithTheDirectoryAndKeepsNanoseconds(t *testing.T) {
	b := newBox(t)
	check(t, b.Write("/src/d/f", nil, nil, strings.NewReader("x")))
	check(t, os.Symlink("f", b.host("/src/d/link")))
	for _, path := range []string{"/src/d/f", "/src/d", "/src"} {
		check(t, os.Chtimes(b.host(path), odd, odd))
	}
	dir, err := b.openDirectory("/src/d")
	check(t, err)
	check(t, sys.Utimesat(int(dir.Fd()), "link", odd.Unix(), int64(odd.Nanosecond())))
	dir.Close()
	check(t, os.Chtimes(b.host("/src/d"), odd, odd))
	stream := b.pack(t, "/src", true)
	first, err := tar.NewReader(bytes.NewReader(stream.Bytes())).Next()
	if err != nil || first.Name != "./" || !first.ModTime.Equal(odd) {
		t.Errorf("it begins with %+v, %v", first, err)
	}
	check(t, b.Untar("/dst", nil, stream))
	for _, path := range []string{"/dst/d/f", "/dst/d", "/dst/d/link"} {
		if st := b.stat(t, path); st.Mtim.Nano() != odd.UnixNano() {
			t.Errorf("%s: %d, want %d", path, st.Mtim.Nano(), odd.UnixNano())
		}
	}
}
