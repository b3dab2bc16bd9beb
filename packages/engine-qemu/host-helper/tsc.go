package main

import (
	"fmt"
	"time"
)

// measureTSC counts the time stamp counter against the monotonic clock. Reading the pair takes some 50 ns; the best of
// several reads at both ends keeps an interruption from spoiling it.
func measureTSC(span time.Duration) (uint64, error) {
	t0, c0, err := readPair()
	if err != nil {
		return 0, err
	}
	time.Sleep(span)
	t1, c1, err := readPair()
	if err != nil {
		return 0, err
	}
	elapsed := t1.Sub(t0)
	if c1 <= c0 || elapsed <= 0 {
		return 0, fmt.Errorf("measure the time stamp counter: it went from %d to %d in %v", c0, c1, elapsed)
	}
	return uint64(float64(c1-c0) / elapsed.Seconds() / 1000), nil
}

func readPair() (best time.Time, counter uint64, err error) {
	narrowest := uint64(1<<63 - 1)
	for range 16 {
		before, ok := readTSC()
		if !ok {
			return best, 0, fmt.Errorf("measure the time stamp counter: this CPU has none")
		}
		now := time.Now()
		after, _ := readTSC()
		if after-before < narrowest {
			narrowest = after - before
			best, counter = now, before+(after-before)/2
		}
	}
	return best, counter, nil
}
