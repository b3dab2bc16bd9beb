package boot

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// keptTime is the time that the host has set, carried on by a clock that nobody can set.
type keptTime struct {
	mu   sync.Mutex
	base int64 // Unix time less monotonic time, in nanoseconds
}

var (
	hostTime   keptTime
	watchClock sync.Once
)

const (
	clockRealtime  = 0
	clockMonotonic = 1

	timerAbsolute    = 1 // TFD_TIMER_ABSTIME
	timerCancelOnSet = 2 // TFD_TIMER_CANCEL_ON_SET

	// clockTolerance is what the clock may be off before it is set again.
	clockTolerance = int64(500 * time.Millisecond)
	// resetPause keeps a program that sets the clock again and again from keeping the agent busy.
	resetPause = time.Second
)

func clock(id uintptr) int64 {
	var ts syscall.Timespec
	_, _, _ = syscall.Syscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

// set makes ns the time.
func (k *keptTime) set(ns int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.base = ns - clock(clockMonotonic)
	return setTime(ns)
}

func setTime(ns int64) error {
	tv := syscall.NsecToTimeval(ns)
	return syscall.Settimeofday(&tv)
}

// restore sets the time again if it is off. It tells whether it was.
func (k *keptTime) restore() (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	right := k.base + clock(clockMonotonic)
	if off := clock(clockRealtime) - right; off < clockTolerance && off > -clockTolerance {
		return false, nil
	}
	return true, setTime(right)
}

// watch restores the time whenever a program sets it. Until one does, nothing wakes up: the kernel cancels a timer that never fires.
func (k *keptTime) watch() error {
	fd, _, e := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, clockRealtime, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if e != 0 {
		return fmt.Errorf("watch the clock: %w", e)
	}
	timer := os.NewFile(fd, "clock")
	go func() {
		defer timer.Close()
		for {
			// Armed before the look, so that what is set in between is seen.
			if err := arm(fd); err != nil {
				return
			}
			if wasOff, err := k.restore(); err != nil {
				return
			} else if wasOff {
				time.Sleep(resetPause)
				continue
			}
			var expirations [8]byte
			if _, err := timer.Read(expirations[:]); err != nil && !errors.Is(err, syscall.ECANCELED) {
				return
			}
		}
	}()
	return nil
}

func arm(fd uintptr) error {
	// struct itimerspec: interval, value
	never := [2]syscall.Timespec{1: {Sec: 1 << 33}}
	_, _, e := syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, fd, timerAbsolute|timerCancelOnSet,
		uintptr(unsafe.Pointer(&never)), 0, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
