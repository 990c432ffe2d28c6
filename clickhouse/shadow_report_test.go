package clickhouse

import (
	"bufio"
	"bytes"
	"hash/maphash"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"porterhouse"
)

// A comparison that failed is told of without anything that ClickHouse has sent: the name of
// a column can be a person's data.
func TestShadowFailureIsToldPlainly(t *testing.T) {
	const name = "ssn of Bob Jones"
	v, err := newViewer(maphash.MakeSeed(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := append([]byte{serverData, 0, 0, 1, 2, byte(len(name))}, name...)
	b = append(append(b, 6), "String"...)
	b = append(b, 0, 5, 'h') // of a text of five, and the connection breaks
	broken := v.packets(&wireReader{in: bufio.NewReader(bytes.NewReader(b))})
	if broken == nil {
		t.Fatal("half a block was read")
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{broken, "the column at 0"},
		{&porterhouse.Error{Kind: porterhouse.Unavailable, Public: brokenOff, Err: broken}, brokenOff},
		{&porterhouse.Error{Kind: porterhouse.Internal, Public: "ours", Err: &porterhouse.Exception{Message: name}}, "ours"},
		{unreached(syscall.ECONNREFUSED), string(NobodyListens)},
	} {
		var log bytes.Buffer
		r := shadowReport{log: slog.New(slog.NewTextHandler(&log, nil))}
		r.tellFailure(ShadowFailed, comparison{}, test.err)
		if strings.Contains(log.String(), "Bob") || !strings.Contains(log.String(), test.want) {
			t.Errorf("%v: %s", test.err, &log)
		}
	}
}
