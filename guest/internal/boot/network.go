package boot

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"net"

	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

// ifreq is struct ifreq: a name and 24 bytes of which each request uses its own part.
type ifreq struct {
	name [16]byte
	data [24]byte
}

func newIfreq(name string) *ifreq {
	r := &ifreq{}
	copy(r.name[:15], name)
	return r
}

// setIPv4 makes the data a struct sockaddr_in.
func (r *ifreq) setIPv4(a netip.Addr) {
	clear(r.data[:])
	sockaddrIn(r.data[:16], a)
}

func sockaddrIn(dst []byte, a netip.Addr) {
	binary.NativeEndian.PutUint16(dst, syscall.AF_INET)
	ip := a.As4()
	copy(dst[4:8], ip[:])
}

func controlSocket() (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open control socket: %w", err)
	}
	return fd, nil
}

func bringUp(fd int, name string) error {
	r := newIfreq(name)
	if err := sys.Ioctl(fd, syscall.SIOCGIFFLAGS, unsafe.Pointer(r)); err != nil {
		return fmt.Errorf("read flags of %s: %w", name, err)
	}
	flags := binary.NativeEndian.Uint16(r.data[:]) | syscall.IFF_UP
	binary.NativeEndian.PutUint16(r.data[:], flags)
	if err := sys.Ioctl(fd, syscall.SIOCSIFFLAGS, unsafe.Pointer(r)); err != nil {
		return fmt.Errorf("bring up %s: %w", name, err)
	}
	return nil
}

func loopbackUp() error {
	fd, err := controlSocket()
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return bringUp(fd, "lo")
}

// setUpNetwork gives the VM's only network card its addresses.
func setUpNetwork(n *wire.Network) error {
	prefix, err := netip.ParsePrefix(n.Address)
	if err != nil || !prefix.Addr().Is4() {
		return &wire.Error{Code: wire.BadRequest, Message: "set up network: address is not like 10.0.2.15/24: " + n.Address}
	}
	name, err := findCard()
	if err != nil {
		return err
	}
	fd, err := controlSocket()
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if n.MAC != "" {
		if err := setMAC(fd, name, n.MAC); err != nil {
			return err
		}
	}
	r := newIfreq(name)
	r.setIPv4(prefix.Addr())
	if err := sys.Ioctl(fd, syscall.SIOCSIFADDR, unsafe.Pointer(r)); err != nil {
		return fmt.Errorf("set address %s of %s: %w", n.Address, name, err)
	}
	var mask [4]byte
	binary.BigEndian.PutUint32(mask[:], uint32(uint64(0xffffffff)<<(32-prefix.Bits())))
	r.setIPv4(netip.AddrFrom4(mask))
	if err := sys.Ioctl(fd, syscall.SIOCSIFNETMASK, unsafe.Pointer(r)); err != nil {
		return fmt.Errorf("set netmask of %s: %w", name, err)
	}
	if err := bringUp(fd, name); err != nil {
		return err
	}
	if n.Gateway == "" {
		return nil
	}
	return setGateway(fd, n.Gateway)
}

// findCard waits for an Ethernet interface that has a device behind it.
func findCard() (string, error) {
	var name string
	err := waitFor(5*time.Second, func() bool {
		devices, _ := filepath.Glob("/sys/class/net/*/device")
		for _, d := range devices {
			name = filepath.Base(filepath.Dir(d))
			return true
		}
		return false
	})
	if err != nil {
		return "", fmt.Errorf("find network card: %w", err)
	}
	return name, nil
}

func setMAC(fd int, name, text string) error {
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != 6 {
		return &wire.Error{Code: wire.BadRequest, Message: "set up network: mac is not like 52:54:00:12:34:56: " + text}
	}
	now, err := os.ReadFile("/sys/class/net/" + name + "/address")
	if err == nil && string(now) == mac.String()+"\n" {
		return nil
	}
	r := newIfreq(name)
	binary.NativeEndian.PutUint16(r.data[:], syscall.ARPHRD_ETHER)
	copy(r.data[2:], mac)
	if err := sys.Ioctl(fd, syscall.SIOCSIFHWADDR, unsafe.Pointer(r)); err != nil {
		return fmt.Errorf("set MAC address %s of %s: %w", mac, name, err)
	}
	return nil
}

// rtentry is struct rtentry of 64-bit Linux.
type rtentry struct {
	_                     uint64
	dst, gateway, genmask [16]byte
	flags                 uint16
	_                     int16
	_                     uint64
	_                     uintptr
	_                     int16
	_                     uintptr
	_, _                  uint64
	_                     uint16
}

func setGateway(fd int, text string) error {
	gateway, err := netip.ParseAddr(text)
	if err != nil || !gateway.Is4() {
		return &wire.Error{Code: wire.BadRequest, Message: "set up network: gateway is not an IPv4 address: " + text}
	}
	any4 := netip.AddrFrom4([4]byte{})
	r := &rtentry{flags: 0x3} // RTF_UP | RTF_GATEWAY
	sockaddrIn(r.dst[:], any4)
	sockaddrIn(r.genmask[:], any4)
	sockaddrIn(r.gateway[:], gateway)
	if err := sys.Ioctl(fd, syscall.SIOCADDRT, unsafe.Pointer(r)); err != nil && err != syscall.EEXIST {
		return fmt.Errorf("set gateway %s: %w", gateway, err)
	}
	return nil
}
