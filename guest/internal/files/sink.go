package files

import (
	"errors"
	"os"
	"syscall"
)

const (
	// directUnit is what is written past the page cache in, in bytes, and where in memory and in the file: no disk's sectors are larger.
	directUnit = 4096
	// directLeast is the shortest piece that goes there, in bytes.
	directLeast = 256 << 10
)

// sink is a new file, of which large pieces go past the page cache, where the file system can do that: an emulated CPU takes as long to copy
// them there as for all the rest, and what was cached gives up its place.
type sink struct {
	file *os.File
	// direct is how it is written to now; refused, once the file system can't.
	direct, refused bool
}

func (s *sink) Write(p []byte) (int, error) {
	s.set(len(p) >= directLeast && len(p)%directUnit == 0)
	n, err := s.file.Write(p)
	if !s.direct || !errors.Is(err, syscall.EINVAL) {
		return n, err
	}
	s.refused = true
	s.set(false)
	m, err := s.file.Write(p[n:])
	return n + m, err
}

func (s *sink) set(direct bool) {
	if direct == s.direct || direct && s.refused {
		return
	}
	s.direct = setDirect(s.file, direct)
	s.refused = direct && !s.direct
}
