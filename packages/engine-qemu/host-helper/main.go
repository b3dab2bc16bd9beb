// Command boxrun-host does for the QEMU engine what Node can't do on the host:
//
//	boxrun-host net UID SOCKET SUBNET DNS PASST ARG...   runs passt behind a filter; QEMU connects to SOCKET, once
//	boxrun-host enter CGROUP PROGRAM ARG...          becomes the program, in a cgroup (enter.go)
//	boxrun-host confine [OPTION...] PROGRAM ARG...   becomes the program, with less than it had (confine.go)
//	boxrun-host hold FILE                            holds a sealed copy of FILE in memory (hold.go)
//	boxrun-host copy FILE                            holds one that can be written (hold.go)
//	boxrun-host place FILE FD                        maps FILE into a QEMU that waits, as its guest's memory (place.go)
//	boxrun-host tsc                                  prints the frequency of the CPU's time stamp counter in kHz
package main

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "boxrun-host:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) >= 6 && args[0] == "net":
		uid, err := strconv.Atoi(args[1])
		if err != nil {
			return fmt.Errorf("read the user: %w", err)
		}
		subnet, err := netip.ParsePrefix(args[3])
		if err != nil {
			return fmt.Errorf("read the subnet: %w", err)
		}
		dns, err := netip.ParseAddr(args[4])
		if err != nil {
			return fmt.Errorf("read the resolver's address: %w", err)
		}
		f := filter{subnet: subnet.Masked(), dns: dns}
		return network{socket: args[2], filter: f, uid: uid, passt: args[5], args: args[6:]}.serve()
	case len(args) >= 3 && args[0] == "enter":
		return enter(args[1], args[2:])
	case len(args) >= 2 && args[0] == "confine":
		c, err := readConfinement(args[1:])
		if err != nil {
			return fmt.Errorf("confine: %w", err)
		}
		return runConfined(c)
	case len(args) == 2 && args[0] == "hold":
		return hold(args[1], true, os.Stdin, os.Stdout)
	case len(args) == 2 && args[0] == "copy":
		return hold(args[1], false, os.Stdin, os.Stdout)
	case len(args) == 3 && args[0] == "place":
		fd, err := strconv.Atoi(args[2])
		if err != nil {
			return fmt.Errorf("read the descriptor: %w", err)
		}
		return place(args[1], fd, os.Stdin, os.Stdout)
	case len(args) == 1 && args[0] == "tsc":
		khz, err := measureTSC(100 * time.Millisecond)
		if err != nil {
			return err
		}
		fmt.Println(khz)
		return nil
	}
	return fmt.Errorf("usage: boxrun-host net UID SOCKET SUBNET DNS PASST ARG... | boxrun-host enter CGROUP PROGRAM ARG... | boxrun-host confine [OPTION...] PROGRAM ARG... | boxrun-host hold FILE | boxrun-host copy FILE | boxrun-host place FILE FD | boxrun-host tsc")
}
