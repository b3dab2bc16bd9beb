package boot

import (
	"fmt"
	"log"
	"os"
	"strconv"
	"unsafe"

	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

// setClock sets the time, if unixNS is not empty, and mixes entropy into the kernel's random generator. The generator is
// reseeded at once: until then VMs resumed from one template give the same numbers.
func setClock(unixNS string, entropy []byte) error {
	if unixNS != "" {
		ns, err := strconv.ParseInt(unixNS, 10, 64)
		if err != nil || ns <= 0 {
			return &wire.Error{Code: wire.BadRequest, Message: "set clock: unix_ns is not a positive decimal number: " + unixNS}
		}
		if err := hostTime.set(ns); err != nil {
			return fmt.Errorf("set clock to %s: %w", unixNS, err)
		}
		watchClock.Do(func() {
			if err := hostTime.watch(); err != nil {
				log.Printf("a clock that a program sets is put right by the host only: %v", err)
			}
		})
	}
	if len(entropy) == 0 {
		return nil
	}
	f, err := os.OpenFile("/dev/urandom", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("reseed: %w", err)
	}
	defer f.Close()
	const (
		rndAddEntropy = 0x40085203
		rndReseedCRNG = 0x5207
		limit         = 512
	)
	// struct rand_pool_info: entropy in bits, size in bytes, bytes
	var info struct {
		bits, size int32
		data       [limit]byte
	}
	n := copy(info.data[:], entropy)
	info.bits, info.size = int32(8*n), int32(n)
	if err := sys.Ioctl(int(f.Fd()), rndAddEntropy, unsafe.Pointer(&info)); err != nil {
		return fmt.Errorf("reseed: add entropy: %w", err)
	}
	if _, err := sys.IoctlValue(int(f.Fd()), rndReseedCRNG, 0); err != nil {
		return fmt.Errorf("reseed: %w", err)
	}
	return nil
}
