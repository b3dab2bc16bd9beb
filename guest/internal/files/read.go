package files

import (
	"io"
	"syscall"
)

// Content is a file opened for reading. Exactly Size bytes are to be read; fewer mean that the file was cut meanwhile.
type Content struct {
	io.Reader
	Size int64
	file *source
}

// Close closes the file.
func (c *Content) Close() error { return c.file.Close() }

// Open opens a regular file.
func (f *Files) Open(path string) (*Content, error) {
	if err := checkPath("read", path); err != nil {
		return nil, err
	}
	opened, st, err := f.root.OpenRegular(path)
	if err == syscall.EISDIR {
		return nil, refuse("read %s: is a directory; use tar", path)
	}
	if err != nil {
		return nil, fail("read", path, err)
	}
	file := &source{File: opened}
	reader, size, err := content(file, &st, make([]byte, headSize))
	if err != nil {
		file.Close()
		return nil, fail("read", path, err)
	}
	return &Content{reader, size, file}, nil
}

// Send copies the content to w.
func (c *Content) Send(w io.Writer) error {
	n, err := copyTo(w, c.Reader)
	if err == nil && n < c.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// SendTo copies the content to w, which reads it itself, and in large pieces: past the page cache, where the file system can do that. What is read
// once takes a copy less so, and nobody else's cached files their place.
func (c *Content) SendTo(w io.ReaderFrom) error {
	c.file.setDirect(c.Size > headSize)
	n, err := w.ReadFrom(c.Reader)
	if err == nil && n < c.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}
