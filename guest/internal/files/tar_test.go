package files

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"boxrun.dev/guest/internal/wire"
)

func TestTarRoundTrip(t *testing.T) {
	b := newBox(t)
	big := bytes.Repeat([]byte("0123456789"), 30_000)
	check(t, b.Write("/src/sub/big", nil, nil, bytes.NewReader(big)))
	check(t, b.Write("/src/tool", ptr(0o4755), nil, strings.NewReader("#!")))
	check(t, b.Write("/src/\xff"+strings.Repeat("n", 200), nil, nil, strings.NewReader("odd")))
	check(t, os.Link(b.host("/src/sub/big"), b.host("/src/zlink")))
	check(t, os.Symlink("/etc/../x", b.host("/src/symlink")))
	check(t, syscall.Mkfifo(b.host("/src/fifo"), 0o600))
	check(t, os.Mkdir(b.host("/src/empty"), 0o700))
	old := time.Unix(1_234_567_890, 0)
	check(t, os.Chtimes(b.host("/src/tool"), old, old))
	check(t, os.Chtimes(b.host("/src/sub"), old, old))
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	defer syscall.Close(fd)
	if len(b.host("/src/sock")) < 100 {
		check(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: b.host("/src/sock")}))
	}
	a, err := b.OpenTar("/src")
	check(t, err)
	var stream bytes.Buffer
	check(t, a.Write(&stream, false))
	check(t, a.Close())
	check(t, b.Untar("/dst/deep", nil, &stream))
	want := strings.ReplaceAll(tree(t, b.host("/src")), " /sock", "")
	if got := tree(t, b.host("/dst/deep")); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, _ := b.read(t, "/dst/deep/sub/big"); got != string(big) {
		t.Error("other content")
	}
	for _, name := range []string{"/tool", "/sub", "/empty", "/fifo", "/symlink"} {
		x, err := os.Lstat(b.host("/src" + name))
		check(t, err)
		y, err := os.Lstat(b.host("/dst/deep" + name))
		check(t, err)
		if x.Mode() != y.Mode() || !x.ModTime().Truncate(time.Second).Equal(y.ModTime().Truncate(time.Second)) {
			t.Errorf("%s: %v %v, want %v %v", name, y.Mode(), y.ModTime(), x.Mode(), x.ModTime())
		}
	}
	x, _ := os.Stat(b.host("/dst/deep/sub/big"))
	y, _ := os.Stat(b.host("/dst/deep/zlink"))
	if !os.SameFile(x, y) {
		t.Error("the hard link is a copy")
	}
}

func ptr(m uint32) *uint32 { return &m }

func TestTarOfOneFileHasItsOwnName(t *testing.T) {
	b := newBox(t)
	check(t, b.Write("/etc/conf", nil, nil, strings.NewReader("x")))
	a, err := b.OpenTar("/etc/conf")
	check(t, err)
	defer a.Close()
	var stream bytes.Buffer
	check(t, a.Write(&stream, false))
	h, err := tar.NewReader(&stream).Next()
	if err != nil || h.Name != "conf" || h.Size != 1 {
		t.Errorf("%+v, %v", h, err)
	}
}

func archive(t *testing.T, entries ...tar.Header) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range entries {
		if h.Typeflag == tar.TypeReg {
			h.Size = 4
		}
		h.Mode = 0o644
		if h.Typeflag == tar.TypeDir {
			h.Mode = 0o755
		}
		h.Uid, h.Gid = os.Getuid(), os.Getgid()
		check(t, w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := w.Write([]byte("data"))
			check(t, err)
		}
	}
	check(t, w.Close())
	return &out
}

func TestTarCannotReachOutside(t *testing.T) {
	b := newBox(t)
	reg := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name} }
	link := func(name, target string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
	}
	wantCode(t, b.Untar("/d", nil, archive(t, reg("a/../../x"))), wire.BadRequest, `".."`)
	hard := tar.Header{Typeflag: tar.TypeLink, Name: "h", Linkname: "../../outside/secret"}
	wantCode(t, b.Untar("/d", nil, archive(t, hard)), wire.BadRequest, `".."`)
	check(t, b.Untar("/d", nil, archive(t, link("out", "/inside"), reg("out2"), reg("/absolute"), reg("./dot/./f"))))
	check(t, os.Mkdir(b.host("/inside"), 0o755))
	check(t, b.Untar("/d", nil, archive(t, reg("out/f"))))
	check(t, b.Untar("/d", nil, archive(t, link("esc", b.outside), link("esc2", "../../outside"))))
	wantCode(t, b.Untar("/d", nil, archive(t, reg("esc2/secret"))), wire.NotFound, "")
	_ = b.Untar("/d", nil, archive(t, reg("esc/secret")))
	for _, name := range []string{"/d/absolute", "/d/dot/f", "/inside/f", "/d/out2"} {
		if got, err := b.read(t, name); err != nil || got != "data" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if text, _ := os.ReadFile(filepath.Join(b.outside, "secret")); string(text) != "secret" || tree(t, b.outside) != " /secret" {
		t.Errorf("outside was changed: %q, %s", text, tree(t, b.outside))
	}
}

func TestTarReplacesFilesAndKeepsDirectories(t *testing.T) {
	b := newBox(t)
	check(t, b.Write("/d/dir/kept", nil, nil, strings.NewReader("kept")))
	check(t, b.Write("/d/file", nil, nil, strings.NewReader("old")))
	check(t, os.Symlink("dir", b.host("/d/dirlink")))
	check(t, os.Symlink("/d/dir/kept", b.host("/d/filelink")))
	check(t, b.Untar("/d", nil, archive(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "./"},
		tar.Header{Typeflag: tar.TypeDir, Name: "dir/"},
		tar.Header{Typeflag: tar.TypeDir, Name: "dirlink/"},
		tar.Header{Typeflag: tar.TypeReg, Name: "dirlink/new"},
		tar.Header{Typeflag: tar.TypeReg, Name: "file"},
		tar.Header{Typeflag: tar.TypeReg, Name: "filelink"},
		tar.Header{Typeflag: tar.TypeLink, Name: "file", Linkname: "file"},
	)))
	for name, want := range map[string]string{
		"/d/dir/kept": "kept", "/d/dir/new": "data", "/d/file": "data", "/d/filelink": "data",
	} {
		if got, err := b.read(t, name); err != nil || got != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got := tree(t, b.host("/d")); strings.Contains(got, tempPrefix) {
		t.Errorf("left behind: %s", got)
	}
}

func TestCutOffTarLeavesNoHalfFile(t *testing.T) {
	b := newBox(t)
	full := archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "one"}, tar.Header{Typeflag: tar.TypeReg, Name: "two"})
	err := b.Untar("/d", nil, io.LimitReader(full, 512+512+512+2))
	wantCode(t, err, wire.BadRequest, "unexpected EOF")
	if got := tree(t, b.host("/d")); got != " /one" {
		t.Errorf("got %s", got)
	}
	wantCode(t, b.Untar("/d", nil, strings.NewReader(strings.Repeat("no tar ", 200))), wire.BadRequest, "tar header")
}

func TestFileThatShrinksFillsTheTarWithZeros(t *testing.T) {
	var out bytes.Buffer
	if _, err := copyTo(&out, io.LimitReader(zeros{}, 100_000)); err != nil || !bytes.Equal(out.Bytes(), make([]byte, 100_000)) {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}

func TestDeviceNumbersComeBack(t *testing.T) {
	for _, d := range [][2]int64{{1, 3}, {8, 300}, {4095, 1 << 19}, {5000, 255}} {
		if major, minor := splitDevice(uint64(joinDevice(d[0], d[1]))); major != d[0] || minor != d[1] {
			t.Errorf("%v came back as %d:%d", d, major, minor)
		}
	}
}
