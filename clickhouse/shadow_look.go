package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"porterhouse"
)

// side asks in one mode.
type side struct {
	*Client
	mode Mode
}

// look asks a question, and makes a view of the answer. The error says why there is none.
func (c side) look(ctx context.Context, as porterhouse.Account, q porterhouse.Query, v *viewer) (_ view, err error) {
	defer v.reader.Close()
	defer func() {
		if what := recover(); what != nil { // one value that nobody thought of ends one comparison
			err = fmt.Errorf("a panic of %T\n%s", what, debug.Stack())
		}
	}()
	if c.interserver != nil {
		return v.end(c.interserver.look(ctx, as, q, v))
	}
	return v.end(c.lookByHTTP(ctx, as, q, v))
}

// lookByHTTP asks for blocks as the native protocol has them.
func (c side) lookByHTTP(ctx context.Context, as porterhouse.Account, q porterhouse.Query, v *viewer) error {
	passage := *q.Passage
	passage.Options = []porterhouse.Setting{{Name: "client_protocol_version", Value: strconv.Itoa(revision)}}
	q.Passage = &passage
	answer, err := c.Query(ctx, as, q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if format := fieldOf(answer.Head, headerFormat); format != "Native" && answer.Head.Status == http.StatusOK {
		return fmt.Errorf("the answer is in the format %q and not in Native", format)
	}
	if err = v.body(answer.Body); errors.Is(err, errTooMuch) {
		return err
	}
	_, broken := io.Copy(io.Discard, answer.Body)
	switch told := answer.Summary().Exception; { // which stands where the next block would
	case told != nil:
		return told
	case broken != nil:
		return broken
	}
	return err
}

// fieldOf is the value of a field; "": there is none.
func fieldOf(head *porterhouse.Head, name string) string {
	for _, f := range head.Fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// look asks with the cluster's secret, over the native protocol.
func (w *bySecret) look(ctx context.Context, as porterhouse.Account, q porterhouse.Query, v *viewer) error {
	if err := checkUser(as.User, w.client.cleaner.gateway); err != nil {
		return err
	}
	if err := check(q); err != nil {
		return err
	}
	k, err := w.begin(ctx, as, q)
	if err != nil {
		return err
	}
	defer k.abandon() // which does nothing behind its end
	if err := k.connect(); err != nil {
		return k.reason(err)
	}
	k.reader = v.reader
	if err := k.send(&inlineData{}); err != nil {
		return k.reason(err)
	}
	err = v.packets(&k.conn.in)
	exception, heard := errors.AsType[*nativeException](err)
	switch {
	case err == nil && k.finish():
		return nil
	case err == nil:
		return k.reason(errStopped)
	case heard && k.finish():
		return k.explain(exception)
	}
	return k.reason(err)
}
