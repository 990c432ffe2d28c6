package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// killFindsIt lets somebody stop their own statement with a KILL: it goes to the server
// where that runs, and not to one of those that have nothing to do.
func (s *street) killFindsIt(i int) {
	person, id := way{s.plain, personOf(i), s.tokens[i]}, fmt.Sprintf("endless-%d", i)
	ctx, leave := context.WithCancel(s.t.Context())
	defer leave()
	ended := make(chan reply, 1)
	go func() {
		got, err := person.send(ctx, s.site.client(), post("SELECT sleepEachRow(0.1) FROM numbers(600) FORMAT TSV SETTINGS max_block_size = 1", "query_id="+id))
		if err != nil && ctx.Err() == nil && !isCut(err) {
			s.t.Error(err)
		}
		ended <- got
	}()
	at := -1
	s.eventually("it runs somewhere", time.Minute, func() bool {
		at = slices.IndexFunc([]int{0, 1, 2}, func(i int) bool { return s.of("running", i) == 1 })
		return at >= 0 && strings.TrimSpace(s.site.text("SELECT count() FROM system.processes WHERE query_id = '"+id+"'")) == "1"
	})
	asked := s.of("queries_total", at)
	killed, err := person.send(s.t.Context(), s.site.client(), post("KILL QUERY WHERE query_id = '"+id+"' ASYNC"))
	if more := s.of("queries_total", at) - asked; err != nil || killed.status != http.StatusOK || more != 1 {
		s.t.Errorf("the statement was at %d, which was asked %v times more; %d %s, %v", at, more, killed.status, killed.body, err)
	}
	if got := <-ended; !got.broken && !strings.Contains(got.body, "QUERY_WAS_CANCELLED") {
		s.t.Errorf("it was stopped, and ended with %d %s", got.status, got.body)
	}
	s.eventually("nothing runs", time.Minute, func() bool { return s.of("running", at) == 0 })
}
