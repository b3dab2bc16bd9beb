package files

import (
	"archive/tar"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

const tarBlock = 512

// paxRecord is `LENGTH KEY=VALUE\n`, where the length counts its own digits.
func paxRecord(key, value string) string {
	rest := " " + key + "=" + value + "\n"
	length := len(rest) + 1
	for len(strconv.Itoa(length))+len(rest) != length {
		length = len(strconv.Itoa(length)) + len(rest)
	}
	return strconv.Itoa(length) + rest
}

// paxTime is seconds with nine decimals.
func paxTime(t time.Time) string {
	seconds, ns, sign := t.Unix(), t.Nanosecond(), ""
	if seconds < 0 {
		sign, seconds = "-", -seconds
		if ns > 0 {
			seconds, ns = seconds-1, 1e9-ns
		}
	}
	return fmt.Sprintf("%s%d.%09d", sign, seconds, ns)
}

// sparseHeader is the header of a sparse file in GNU's format 1.0, which package tar reads and doesn't write. archived is the length of
// the map and the data.
func sparseHeader(h *tar.Header, archived int64) []byte {
	records := paxRecord("GNU.sparse.major", "1") + paxRecord("GNU.sparse.minor", "0") +
		paxRecord("GNU.sparse.name", h.Name) + paxRecord("GNU.sparse.realsize", strconv.FormatInt(h.Size, 10)) +
		paxRecord("uid", strconv.Itoa(h.Uid)) + paxRecord("gid", strconv.Itoa(h.Gid)) +
		paxRecord("size", strconv.FormatInt(archived, 10)) +
		paxRecord("mtime", paxTime(h.ModTime))
	for _, key := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		records += paxRecord(key, h.PAXRecords[key])
	}
	out := append(block('x', int64(len(records)), 0o644), padded([]byte(records))...)
	return append(out, block('0', archived, h.Mode)...)
}

// block is a header without a name, a time and an owner: those stand in records.
func block(kind byte, size, mode int64) []byte {
	b := make([]byte, tarBlock)
	copy(b, "GNUSparseFile.0")
	octal := func(at, width int, n int64) { copy(b[at:], fmt.Sprintf("%0*o", width-1, n)) }
	octal(100, 8, mode)
	octal(108, 8, 0)
	octal(116, 8, 0)
	if size < 1<<33 {
		octal(124, 12, size)
	}
	octal(136, 12, 0)
	b[156] = kind
	copy(b[257:], "ustar\x0000")
	copy(b[148:], "        ")
	sum := int64(0)
	for _, c := range b {
		sum += int64(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// padded fills up the last block with zeros.
func padded(b []byte) []byte { return append(b, make([]byte, padding(int64(len(b))))...) }

func padding(size int64) int64 { return -size & (tarBlock - 1) }
