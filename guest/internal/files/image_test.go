package files

import (
	"archive/tar"
	"bytes"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// pack gives the headers of an image of the box, by name, and the contents.
func packImage(t *testing.T, b box, leaveOut, attributes []string) (map[string]*tar.Header, map[string]string) {
	t.Helper()
	fd, err := syscall.Open(b.dir, syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	check(t, err)
	defer syscall.Close(fd)
	a, err := OpenImage(fd, leaveOut, attributes)
	check(t, err)
	defer a.Close()
	var out bytes.Buffer
	check(t, a.Write(&out, true))
	headers, contents := map[string]*tar.Header{}, map[string]string{}
	in := tar.NewReader(&out)
	for {
		h, err := in.Next()
		if err == io.EOF {
			return headers, contents
		}
		check(t, err)
		data, err := io.ReadAll(in)
		check(t, err)
		headers[h.Name], contents[h.Name] = h, string(data)
	}
}

func TestImageHasAttributesLinksAndHoles(t *testing.T) {
	b := newBox(t)
	check(t, b.Write("/tool", ptr(0o4755), nil, strings.NewReader("#!")))
	check(t, os.Link(b.host("/tool"), b.host("/tool2")))
	check(t, b.Write("/disk", nil, nil, strings.NewReader("begin")))
	check(t, os.Truncate(b.host("/disk"), 8<<20))
	for _, name := range []string{"/tool", "/disk"} {
		if err := syscall.Setxattr(b.host(name), "user.bytes", []byte("a\x00=\xff\n"), 0); err != nil {
			t.Skipf("this file system keeps no attributes: %v", err)
		}
	}
	headers, contents := packImage(t, b, nil, nil)
	for _, name := range []string{"tool", "disk"} {
		if got := headers[name].PAXRecords["SCHILY.xattr.user.bytes"]; got != "a\x00=\xff\n" {
			t.Errorf("%s has %q", name, got)
		}
	}
	if h := headers["tool"]; h.Mode != 0o4755 {
		t.Errorf("mode %o", h.Mode)
	}
	if h := headers["tool2"]; h.Typeflag != tar.TypeLink || h.Linkname != "tool" {
		t.Errorf("%+v", h)
	}
	if got := contents["disk"]; len(got) != 8<<20 || !strings.HasPrefix(got, "begin\x00") {
		t.Errorf("%d bytes", len(got))
	}
	if headers["./"] == nil {
		t.Error("the root itself is missing")
	}
}

func TestImageLeavesOutWhatIsNotTheUsers(t *testing.T) {
	b := newBox(t)
	check(t, b.Write("/etc/hosts", nil, nil, strings.NewReader("ours")))
	check(t, b.Write("/etc/passwd", nil, nil, strings.NewReader("theirs")))
	check(t, b.Write("/agent/program", nil, nil, strings.NewReader("ours")))
	noted := syscall.Setxattr(b.dir, "user.note", []byte("ours"), 0) == nil
	headers, _ := packImage(t, b, []string{"etc/hosts", "agent"}, []string{"user.note"})
	want := []string{"./", "etc/", "etc/passwd"}
	if got := slices.Sorted(maps.Keys(headers)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if noted && headers["./"].PAXRecords["SCHILY.xattr.user.note"] != "" {
		t.Error("the note is there")
	}
}
