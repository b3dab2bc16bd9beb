package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Writer writes a body into slots that the host lends, and says where its pieces are. While one piece goes to the disk, the next is gathered.
type Writer struct {
	ctx  context.Context
	area *Area
	out  io.Writer
	// flush has what was written to out go off.
	flush func() error
	lent  chan byte
	// pieces go to the sender, and its buffers come back; sent is closed at its end, and failed is set before.
	pieces  chan piece
	buffers chan *[]byte
	sent    chan struct{}
	failed  error
	piece
}

// piece is a buffer, and how much is in it.
type piece struct {
	buffer *[]byte
	filled int
}

// NewWriter writes to out. offers gives the numbers of slots, a byte each, as the host lends them and lends them again; it may end. The Writer
// uses none of them any more when ctx is done.
func NewWriter(ctx context.Context, area *Area, offers io.Reader, out io.Writer, flush func() error) *Writer {
	w := &Writer{
		ctx: ctx, area: area, out: out, flush: flush, lent: make(chan byte, Slots),
		pieces: make(chan piece), buffers: make(chan *[]byte, 1), sent: make(chan struct{}),
	}
	w.buffer = buffers.Get().(*[]byte)
	go w.takeOffers(offers)
	go w.sendAll()
	return w
}

// takeOffers passes on no more than there are: a host that lends more has miscounted, and is not heard any more.
func (w *Writer) takeOffers(offers io.Reader) {
	var some [Slots]byte
	for {
		n, err := offers.Read(some[:])
		for _, slot := range some[:n] {
			if slot < Slots || slot >= 2*Slots {
				return
			}
			select {
			case w.lent <- slot:
			default:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// Write gathers what is to go into one slot.
func (w *Writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		m := copy((*w.buffer)[w.filled:], p)
		w.filled += m
		n += m
		p = p[m:]
		if err := w.handOverIfFull(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// ReadFrom reads straight into what goes to the disk, in reads that are whole sectors wherever r gives as much as it is asked for.
func (w *Writer) ReadFrom(r io.Reader) (read int64, err error) {
	for {
		n, err := r.Read((*w.buffer)[w.filled:])
		w.filled += n
		read += int64(n)
		if err := w.handOverIfFull(); err != nil {
			return read, err
		}
		if errors.Is(err, io.EOF) {
			return read, nil
		}
		if err != nil {
			return read, err
		}
	}
}

// End sends what is left, and the body's end.
func (w *Writer) End() error {
	if w.filled > 0 {
		if err := w.handOver(); err != nil {
			return err
		}
	}
	close(w.pieces)
	<-w.sent
	w.pieces = nil
	if w.failed != nil {
		return w.failed
	}
	var head [headSize]byte
	putHead(head[:], endOfBody, 0)
	_, err := w.out.Write(head[:])
	return err
}

// Close waits until nothing is written any more. Without End before, the body is cut off.
func (w *Writer) Close() {
	if w.pieces != nil {
		close(w.pieces)
		<-w.sent
	}
	buffers.Put(w.buffer)
	select {
	case b := <-w.buffers:
		buffers.Put(b)
	default:
	}
}

func (w *Writer) handOverIfFull() error {
	if w.filled < SlotSize {
		return nil
	}
	return w.handOver()
}

// handOver gives what was gathered to the sender.
func (w *Writer) handOver() error {
	select {
	case w.pieces <- w.piece:
	case <-w.sent:
		return w.failed
	}
	select {
	case w.buffer = <-w.buffers:
	default:
		w.buffer = buffers.Get().(*[]byte)
	}
	w.filled = 0
	return nil
}

// sendAll is the sender: the only one that writes to out until it has ended.
func (w *Writer) sendAll() {
	defer close(w.sent)
	for p := range w.pieces {
		err := w.send((*p.buffer)[:p.filled])
		select {
		case w.buffers <- p.buffer:
		default:
			buffers.Put(p.buffer)
		}
		if err != nil {
			w.failed = err
			return
		}
	}
}

func (w *Writer) send(bytes []byte) error {
	if len(bytes) > inlineMax {
		if stored, err := w.store(bytes); err != nil || stored {
			return err
		}
	}
	for len(bytes) > 0 {
		n := min(len(bytes), inlineMax)
		var head [headSize]byte
		putHead(head[:], inline, n)
		if _, err := w.out.Write(head[:]); err != nil {
			return err
		}
		if _, err := w.out.Write(bytes[:n]); err != nil {
			return err
		}
		bytes = bytes[n:]
	}
	return nil
}

// store puts bytes into the next slot that is lent. It gives false if the disk does not take them, since the host's own is full.
func (w *Writer) store(bytes []byte) (bool, error) {
	var slot byte
	select {
	case slot = <-w.lent:
	case <-w.ctx.Done():
		return false, w.ctx.Err()
	}
	if err := w.put(slot, bytes); err != nil {
		if w.ctx.Err() != nil {
			return false, w.ctx.Err()
		}
		w.lent <- slot
		return false, nil
	}
	var head [headSize]byte
	putHead(head[:], slot, len(bytes))
	if _, err := w.out.Write(head[:]); err != nil {
		return false, err
	}
	return true, w.flush()
}

// put writes under the slot's turn: one that was lent to a transfer before, which the host has given up, may still be written to for that one, and
// is not from then on.
func (w *Writer) put(slot byte, bytes []byte) error {
	turn := &w.area.turns[slot-Slots]
	turn.Lock()
	defer turn.Unlock()
	if err := w.ctx.Err(); err != nil {
		return err
	}
	// bytes begin a buffer, which has room for the last sector's rest.
	if _, err := w.area.file.WriteAt(bytes[:whole(len(bytes))], offsetOf(slot)); err != nil {
		return fmt.Errorf("write to the disk for transfers: %w", err)
	}
	return nil
}
