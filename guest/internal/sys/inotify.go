package sys

import (
	"syscall"
	"unsafe"
)

// InotifyEvent is one event of an inotify descriptor; Name is that of the entry in the watched directory, if it is about one.
type InotifyEvent struct {
	Watch  int
	Mask   uint32
	Cookie uint32
	Name   string
}

// ParseInotify takes apart what one read of an inotify descriptor gave.
func ParseInotify(buf []byte) []InotifyEvent {
	var events []InotifyEvent
	for len(buf) >= syscall.SizeofInotifyEvent {
		raw := (*syscall.InotifyEvent)(unsafe.Pointer(&buf[0]))
		end := syscall.SizeofInotifyEvent + int(raw.Len)
		if end > len(buf) {
			break
		}
		// It is filled up with zeros.
		name := buf[syscall.SizeofInotifyEvent:end]
		for len(name) > 0 && name[len(name)-1] == 0 {
			name = name[:len(name)-1]
		}
		events = append(events, InotifyEvent{int(raw.Wd), raw.Mask, raw.Cookie, string(name)})
		buf = buf[end:]
	}
	return events
}
