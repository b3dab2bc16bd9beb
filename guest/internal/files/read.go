package files

import (
	"bytes"
	"io"
	"os"
	"syscall"
)

// Content is a file opened for reading. Exactly Size bytes are to be read; fewer mean that the file was cut meanwhile.
type Content struct {
	io.Reader
	Size int64
	file *os.File
}

// Close closes the file.
func (c *Content) Close() error { return c.file.Close() }

// virtualLimit bounds files that say they are empty and are not, as those of /proc; bytes.
const virtualLimit = 4 << 20

// Open opens a regular file.
func (f *Files) Open(path string) (*Content, error) {
	if err := checkPath("read", path); err != nil {
		return nil, err
	}
	file, st, err := f.root.OpenRegular(path)
	if err == syscall.EISDIR {
		return nil, refuse("read %s: is a directory; use tar", path)
	}
	if err != nil {
		return nil, fail("read", path, err)
	}
	if st.Size > 0 {
		return &Content{io.LimitReader(file, st.Size), st.Size, file}, nil
	}
	data, err := io.ReadAll(io.LimitReader(file, virtualLimit))
	if err != nil {
		file.Close()
		return nil, fail("read", path, err)
	}
	return &Content{bytes.NewReader(data), int64(len(data)), file}, nil
}

// Send copies the content to w.
func (c *Content) Send(w io.Writer) error {
	n, err := copyTo(w, c.Reader)
	if err == nil && n < c.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}
