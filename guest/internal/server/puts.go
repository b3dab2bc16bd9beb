package server

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// puts are the requests whose bodies are being put away. One that breaks off has something to clear up, which takes as long as the disk does; that
// its connection has told of it says nothing of that.
type puts struct {
	mu   sync.Mutex
	open map[*put]struct{}
}

type put struct {
	// cut is closed when the request has broken off, and done when nothing of it is under way any more.
	cut  <-chan struct{}
	done chan struct{}
}

// counted is h, known to settled while it runs.
func (p *puts) counted(h func(*Box, http.ResponseWriter, *http.Request) error) func(*Box, http.ResponseWriter, *http.Request) error {
	return func(box *Box, w http.ResponseWriter, r *http.Request) error {
		one := &put{r.Context().Done(), make(chan struct{})}
		p.mu.Lock()
		if p.open == nil {
			p.open = map[*put]struct{}{}
		}
		p.open[one] = struct{}{}
		p.mu.Unlock()
		defer func() {
			p.mu.Lock()
			delete(p.open, one)
			p.mu.Unlock()
			close(one.done)
		}()
		return h(box, w, r)
	}
}

// settled waits until those that have broken off by now have cleared up, or until ctx is done, or for a second: a disk that hangs must not hang
// what tells the host that the agent is there.
func (p *puts) settled(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, one := range p.broken() {
		select {
		case <-one.done:
		case <-ctx.Done():
			return
		}
	}
}

func (p *puts) broken() []*put {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []*put
	for one := range p.open {
		select {
		case <-one.cut:
			found = append(found, one)
		default:
		}
	}
	return found
}
