package clickhouse

import (
	"context"
	"io"
	"strings"

	"porterhouse"
)

// directReads is the setting that lets a SELECT read from a queue (Kafka, RabbitMQ, NATS,
// FileLog, S3Queue): what it reads it takes away. So nobody is asked again who has it.
//
// It is not sent switched off instead: under EXECUTE AS the account's own profile is in
// force all the same, and elsewhere a profile that forbids to change it would have the
// question refused.
const directReads = "stream_like_engine_allow_direct_select"

// whoAsks is what an account is to ClickHouse.
const whoAsks = "SELECT currentUser(), arrayStringConcat(arraySort(enabledRoles()), ', '), toUInt8(getSetting('" + directReads + "')) /* Porterhouse compares access modes */"

// person returns what comes of whatever an account asks: ShadowDifferent where it is another
// user, or has other roles, in the two modes; ShadowSkipped where its reads may take
// something away; and ShadowSame where its statements are to be compared. So they are as
// well where a mode refuses the question, which their own answers tell.
func (s *shadow) person(ctx context.Context, job comparison) (ShadowOutcome, error) {
	if outcome, known := s.people.get(job.as.User); known {
		return outcome, nil
	}
	a, b, outcome, err := s.views(ctx, func(side int) (view, error) { return s.who(ctx, job, side) })
	switch {
	case err != nil || outcome == ShadowUnstable:
		return outcome, err
	case (a.takes || b.takes) && (outcome == ShadowSame || a.refused || b.refused):
		outcome = ShadowSkipped
	case isAtEnd(a.code) && isAtEnd(b.code):
		return ShadowDropped, nil
	case a.refused || b.refused:
		return ShadowSame, nil
	}
	s.people.put(job.as.User, outcome)
	if outcome == ShadowDifferent {
		s.report.tell(job, a, b)
	}
	return outcome, nil
}

// who asks one side who asks.
func (s *shadow) who(ctx context.Context, job comparison, side int) (view, error) {
	q := job.question(s.sides[side].mode)
	q.SQL, q.Params, q.Database, q.Format, q.Passage = whoAsks, nil, "", porterhouse.TSVRows, nil
	q.Limits.Bytes = maxStatus
	end := viewer{}
	answer, err := s.sides[side].Query(ctx, job.as, q)
	if err != nil {
		return end.end(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return end.end(err)
	}
	user, rest, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), "\t")
	roles, takes, _ := strings.Cut(rest, "\t")
	return view{who: user, roles: roles, takes: takes != "0"}, nil
}
