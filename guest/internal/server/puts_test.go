package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestABrokenPutIsWaitedForAndAnotherIsNot(t *testing.T) {
	var all puts
	start := func(ctx context.Context, begun chan struct{}, goOn <-chan struct{}) {
		h := all.counted(func(*Box, http.ResponseWriter, *http.Request) error {
			close(begun)
			<-goOn
			return nil
		})
		go h(nil, nil, httptest.NewRequest("PUT", "/files", nil).WithContext(ctx))
		<-begun
	}
	cut, breakOff := context.WithCancel(t.Context())
	clear, whole := make(chan struct{}), make(chan struct{})
	defer close(whole)
	start(t.Context(), make(chan struct{}), whole)
	all.settled(t.Context()) // none has broken off
	start(cut, make(chan struct{}), clear)
	breakOff()
	settled := make(chan struct{})
	go func() {
		all.settled(t.Context())
		close(settled)
	}()
	select {
	case <-settled:
		t.Fatal("one that has not cleared up was not waited for")
	case <-time.After(50 * time.Millisecond):
	}
	impatient, giveUp := context.WithCancel(t.Context())
	giveUp()
	all.settled(impatient)
	close(clear)
	<-settled
}
