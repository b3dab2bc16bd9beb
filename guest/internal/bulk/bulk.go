// Package bulk moves the bodies of transfers through a disk that the host has open, too: what goes over the line then says only where on it
// the bytes are. A device that hands over a page at a time, as the line does, costs an emulated CPU many times as much.
//
// The disk is slots of one size; the host writes to the first half of them and the agent to the second, so that neither
// finds in its own what the other has written late. A transfer uses those that the host has lent it.
//
//	                slot 0 … 7: host to agent          slot 8 … 15: agent to host
//	disk            +--------+--------+-- … --+--------+--------+--------+-- … --+--------+
//	                | 1 MiB  |        |       |        |        |        |       |        |
//	                +--------+--------+-- … --+--------+--------+--------+-- … --+--------+
//
//	piece of a body 0      1            5
//	                +------+------------+----------------+
//	                | slot | length u32 | bytes          |   0 to 15: they are in that slot, and nothing follows
//	                +------+------------+----------------+   254: the end, with length 0; 255: they follow
package bulk

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

const (
	// SlotSize is how much a slot holds, in bytes.
	SlotSize = 1 << 20
	// Slots is how many there are in each direction.
	Slots = 8

	endOfBody = 254
	inline    = 255
	headSize  = 5
	// inlineMax is the longest piece that follows its own head, in bytes: with less the disk is more trouble than it saves.
	inlineMax = 64 << 10
	// sector is what reads and writes past the page cache are a multiple of, in bytes and in memory. No disk's is larger.
	sector = 4096
)

// Area is the disk.
type Area struct {
	file *os.File
	// turns are held while the agent writes to a slot.
	turns [Slots]sync.Mutex
}

// Open opens the disk for the agent alone: no program of the box can have it mounted. A file serves as well, for tests without a VM.
func Open(path string) (*Area, error) {
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_EXCL|syscall.O_DIRECT, 0)
	if err != nil {
		return nil, fmt.Errorf("open the disk for transfers: %w", err)
	}
	return &Area{file: file}, nil
}

func offsetOf(slot byte) int64 { return int64(slot) * SlotSize }

// whole is n, rounded up to sectors.
func whole(n int) int { return (n + sector - 1) &^ (sector - 1) }

// buffers hold a slot each, and begin where a sector may.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, SlotSize+sector)
	skip := -uintptr(unsafe.Pointer(&b[0])) & (sector - 1)
	b = b[skip : skip+SlotSize]
	return &b
}}

func putHead(dst []byte, slot byte, length int) {
	dst[0] = slot
	binary.BigEndian.PutUint32(dst[1:], uint32(length))
}

func decodeHead(b *[headSize]byte) (slot byte, length int, err error) {
	slot = b[0]
	limit, least := SlotSize, 1
	switch {
	case slot < Slots:
	case slot == inline:
		limit = inlineMax
	case slot == endOfBody:
		limit, least = 0, 0
	default:
		return 0, 0, fmt.Errorf("a piece in slot %d", slot)
	}
	n := binary.BigEndian.Uint32(b[1:])
	if n > uint32(limit) || n < uint32(least) {
		return 0, 0, fmt.Errorf("a piece of %d bytes in slot %d, want %d to %d", n, slot, least, limit)
	}
	return slot, int(n), nil
}
