package files

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// extent is a piece of a file that has data.
type extent struct{ offset, length int64 }

const (
	// smallestHole is what is worth an entry of the map, in bytes; smaller ones are sent as zeros.
	smallestHole = 64 << 10
	// mostExtents bounds the map of a file that is full of holes: readers take 1 MiB of it.
	mostExtents = 30_000
)

// extents says where a file has data, in order; nil if it has no holes to speak of, or its file system can't tell.
func extents(file *os.File, st *syscall.Stat_t) []extent {
	const seekData, seekHole = 3, 4
	if st.Size < 2*smallestHole || st.Blocks*512 > st.Size-smallestHole {
		return nil
	}
	defer file.Seek(0, io.SeekStart)
	found := []extent{}
	var data int64
	for at := int64(0); at < st.Size; at += data {
		begin, err := file.Seek(at, seekData)
		if isErrno(err, syscall.ENXIO) {
			break // a hole to its end
		}
		if err != nil {
			return nil
		}
		end, err := file.Seek(begin, seekHole)
		if err != nil {
			return nil
		}
		begin, end = min(begin, st.Size), min(end, st.Size)
		data = end - at
		if begin == end {
			break
		}
		if last := len(found) - 1; last >= 0 && begin-(found[last].offset+found[last].length) < smallestHole {
			found[last].length = end - found[last].offset
		} else if len(found) == mostExtents {
			return nil
		} else {
			found = append(found, extent{begin, end - begin})
		}
	}
	if len(found) == 1 && found[0].length > st.Size-smallestHole {
		return nil
	}
	return found
}

func isErrno(err error, want syscall.Errno) bool {
	return err != nil && plain(err) == want
}

// sparseMap is GNU's of version 1.0, which comes before the data: https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html
func sparseMap(data []extent, size int64) []byte {
	end := int64(0)
	if n := len(data); n > 0 {
		end = data[n-1].offset + data[n-1].length
	}
	if end < size {
		data = append(data[:len(data):len(data)], extent{size, 0})
	}
	var text strings.Builder
	line := func(n int64) {
		text.WriteString(strconv.FormatInt(n, 10))
		text.WriteByte('\n')
	}
	line(int64(len(data)))
	for _, e := range data {
		line(e.offset)
		line(e.length)
	}
	return padded([]byte(text.String()))
}

const holeBlock = 4096

var zeroBlock [holeBlock]byte

// writeSparse writes a file and leaves out its blocks of zeros.
func writeSparse(file *os.File, src io.Reader) error {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	at := int64(0)
	for {
		n, err := io.ReadFull(src, *buf)
		if writeErr := writeData(file, at, (*buf)[:n]); writeErr != nil {
			return writeErr
		}
		at += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return file.Truncate(at)
		}
		if err != nil {
			return err
		}
	}
}

// writeData writes what is not zeros of p, which begins at a multiple of holeBlock.
func writeData(file *os.File, at int64, p []byte) error {
	isZero := func(from int) bool {
		block := p[from:min(len(p), from+holeBlock)]
		return bytes.Equal(block, zeroBlock[:len(block)])
	}
	for from := 0; from < len(p); {
		if isZero(from) {
			from += holeBlock
			continue
		}
		to := from + holeBlock
		for to < len(p) && !isZero(to) {
			to += holeBlock
		}
		if _, err := file.WriteAt(p[from:min(to, len(p))], at+int64(from)); err != nil {
			return err
		}
		from = to
	}
	return nil
}
