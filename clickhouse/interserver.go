package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"porterhouse"
	"porterhouse/blocks"
)

// bySecret is the way of the mode Interserver: over the native protocol, with the
// secret that the servers of a cluster share. Each statement names the person as its
// initial user, as one server does that passes a person's statement on to another.
//
//	check ─▶ a connection that is nobody's ─▶ is the person known? ─▶ the statement and its proof
//	         (interserver_pool.go)            (interserver_person.go)   (interserver_secret.go)
//	                                                                         │
//	   Answer ◀─ printed by us, within the limits (interserver_body.go) ◀─ blocks
//
// Whoever holds the secret can be anybody, so a statement without a name is refused
// here, and kept back again where it would be proved.
type bySecret struct {
	client  *Client
	pool    *interserverPool
	control *interserverPool // checks, which must get through when questions cannot
	spool   *Spool
	people  known[string, interserverPerson] // by name
	room    *blocks.Room

	stopping context.Context // ends what runs, when close cannot wait for it
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// maxBlocks is how much memory all answers of a room take together for the blocks that
// are being printed and for what is printed and not read yet, in bytes, beyond what each
// has for itself. It is twice what one answer can need.
const maxBlocks = 512 << 20

// NewRoom makes a room of 512 MiB, for Config.Room: what all clusters of a process take
// together, however many they are.
func NewRoom() *blocks.Room { return blocks.NewRoom(maxBlocks) }

// clusterBuffer is the buffer of a connection, in bytes: answers come over it, many texts
// to each system call. There are few connections, and they are kept.
const clusterBuffer = 64 << 10

// newBySecret makes the way of the mode Interserver. It connects to nothing.
func newBySecret(client *Client, c Config) (*bySecret, error) {
	target, err := newNativeTarget(c, &client.count.connections)
	if err != nil {
		return nil, err
	}
	target.buffer, target.health = clusterBuffer, client.health
	w := &bySecret{client: client, room: cmp.Or(c.Room, NewRoom()), spool: c.Spool}
	w.stopping, w.stop = context.WithCancel(context.Background())
	connect := func(ctx context.Context, database string) (*nativeConn, error) {
		return target.openCluster(ctx, c.Access.Cluster, c.Access.Secret, database)
	}
	w.pool = &interserverPool{connect: connect, places: make(chan struct{}, orDefault(c.MaxConnections, defaultConnections))}
	w.control = &interserverPool{connect: connect, places: make(chan struct{}, controlConnections)}
	return w, nil
}

// checkCluster refuses a configuration that lacks what Interserver stands on.
func (c Config) checkCluster() error {
	switch {
	case c.User == "":
		return errors.New("clickhouse: the gateway's User is empty; in the access mode interserver it needs no password and no rights: checks are asked as it")
	case c.Access.Native == "":
		return errors.New("clickhouse: the access mode interserver needs ClickHouse's native port (Access.Native)")
	case c.Access.Cluster == "" || c.Access.Secret.IsZero():
		return errors.New("clickhouse: the access mode interserver needs the name of a cluster and its secret (Access.Cluster, Access.Secret)")
	}
	return nil
}

// check refuses, by name and before ClickHouse sees it, what cannot be carried.
func (w *bySecret) check(as porterhouse.Account, q *porterhouse.Query) error {
	if err := checkUser(as.User, w.client.cleaner.gateway); err != nil {
		return err
	}
	if err := check(*q); err != nil {
		return err
	}
	switch p := q.Passage; {
	case q.Class.State:
		return notByCluster("a statement that changes its session (" + cmp.Or(q.Class.Verb, "SET") + ")")
	case q.Class.Input:
		return notByCluster("an INSERT that takes its data from input(…)")
	case p == nil:
		return nil
	case p.Tables != nil:
		return notByCluster("external tables")
	case len(p.Roles) > 0:
		return notByCluster("roles for one request (role=)")
	case p.Session != nil && p.Session.Check:
		return notByCluster("a session that must be there already (session_check)")
	}
	return w.checkOptions(q)
}

// checkOptions refuses options of ClickHouse's HTTP interface that change the answer,
// and a zone that nobody here would hear of.
func (w *bySecret) checkOptions(q *porterhouse.Query) error {
	for _, o := range q.Passage.Options {
		on := o.Value != "0" && o.Value != "false"
		if on && (o.Name == "compress" || o.Name == "wait_end_of_query") {
			return notByCluster("the parameter " + o.Name)
		}
	}
	if _, err := blocks.NewReader(blocks.Config{Zone: time.UTC, Settings: printing(*q)}); err != nil {
		return porterhouse.Errorf(porterhouse.Refused, "%v", err)
	}
	return nil
}

// notByCluster says that this mode cannot do what a client asks for.
func notByCluster(what string) error {
	return porterhouse.Errorf(porterhouse.Refused, "%s cannot be had where Porterhouse acts with the cluster's secret (interserver); "+
		"the operator can set the cluster's access mode to verify, which carries everything", what)
}

// format is in which format the answer is printed.
func (w *bySecret) format(q *porterhouse.Query) (string, error) {
	format := cmp.Or(q.Class.Format, string(q.Format), "TSV")
	if q.Passage != nil && !q.Class.Read && !answersRows[q.Class.Verb] {
		format = "TabSeparated" // ON CLUSTER answers with rows, whatever stands behind FORMAT in an INSERT
	}
	if !blocks.Prints(format) {
		return "", porterhouse.Errorf(porterhouse.Refused, "the format %s cannot be had where Porterhouse acts with the cluster's secret (interserver), which prints answers itself: "+
			"ask for one of the TabSeparated or JSONCompact formats; the operator can set the cluster's access mode to verify, which carries every format", format)
	}
	if zoneInText(q.SQL) {
		return "", porterhouse.Errorf(porterhouse.Refused, "session_timezone in a statement cannot be followed where Porterhouse acts with the cluster's secret (interserver): "+
			"send it as a setting beside the statement, or use toTimeZone()")
	}
	return format, nil
}

// zoneInText reports whether the text may set the zone in which times are printed.
func zoneInText(sql string) bool { return strings.Contains(strings.ToLower(sql), "session_timezone") }

// jsonSettings print JSON for a question of ours so that it loses nothing: as jsonFormat.
var jsonSettings = []blocks.Setting{
	{Name: "output_format_json_quote_64bit_integers", Value: "1"},
	{Name: "output_format_json_quote_denormals", Value: "1"},
	{Name: "output_format_json_quote_decimals", Value: "1"},
}

// printing returns the settings by which an answer is printed: those beside the
// statement, and then those of its own.
func printing(q porterhouse.Query) (all []blocks.Setting) {
	if q.Passage == nil {
		return jsonSettings
	}
	for _, s := range slices.Concat(q.Passage.Settings, q.Passage.Own) {
		all = append(all, blocks.Setting(s))
	}
	return all
}

// run runs a statement as the account. Its answer is printed as it is read.
func (w *bySecret) run(ctx context.Context, as porterhouse.Account, q porterhouse.Query) (*porterhouse.Answer, error) {
	if err := w.check(as, &q); err != nil {
		return nil, err
	}
	format, err := w.format(&q)
	if err != nil {
		return nil, err
	}
	k, err := w.begin(ctx, as, q)
	if err != nil {
		return nil, err
	}
	k.format = format
	opened := false
	defer func() {
		if !opened { // because of an error, or of a panic, which goes on and takes no place with it
			k.abandon()
			k.reader.Close()
		}
	}()
	answer, err := k.open()
	opened = err == nil
	return answer, err
}

// begin makes a call of a statement. It is under way from here on, until it is finished or
// abandoned.
func (w *bySecret) begin(ctx context.Context, as porterhouse.Account, q porterhouse.Query) (*interserverCall, error) {
	if w.stopping.Err() != nil {
		return nil, porterhouse.Errorf(porterhouse.Unavailable, "Porterhouse is shutting down; try again in a moment")
	}
	k := &interserverCall{Query: q, way: w, as: as, caller: ctx, begun: time.Now()}
	k.ctx, k.cancel = context.WithTimeout(ctx, q.Limits.Time+w.client.grace)
	k.unhook = context.AfterFunc(w.stopping, k.cancel)
	w.running.Add(1)
	w.client.count.queries.Add(1)
	w.client.count.native.Add(1)
	w.client.underway.begin(as.User, q.ID)
	return k, nil
}

// ask asks as somebody for one row of texts, on a connection that questions cannot take
// away. One that was kept may be one that the server is just closing.
func (w *bySecret) ask(ctx context.Context, name, sql, comment string) ([]string, error) {
	for {
		c, err := w.control.take(ctx, "")
		if err != nil {
			return nil, err
		}
		found, err := askTexts(ctx, c, name, sql, comment)
		again := c.kept && isHangUp(err)
		w.control.give(c)
		if !again {
			return found, err
		}
	}
}

// askTexts asks as somebody for one row of texts. comment may be "".
func askTexts(ctx context.Context, c *keptConn, name, sql, comment string) ([]string, error) {
	var found []string
	q := &nativeQuery{sql: sql, values: readTexts(&found), initial: asksFrom(c.nativeConn, name)}
	q.settings = []porterhouse.Setting{{Name: "readonly", Value: "2"}}
	if comment != "" {
		q.settings = append(q.settings, porterhouse.Setting{Name: "log_comment", Value: comment})
	}
	if err := c.secret.prove(q); err != nil {
		return nil, err
	}
	err := c.ask(ctx, q)
	return found, err
}

// asksFrom names who asks, and from where: from us, for that is what ClickHouse would
// see of a login. Only the server compares it with anything.
func asksFrom(c *nativeConn, name string) *initialUser {
	return &initialUser{name: name, address: c.plain.LocalAddr().String()}
}

// checkServer asks for the version as the gateway's own account.
func (w *bySecret) checkServer(ctx context.Context, comment string) (Server, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	gateway := w.client.cleaner.gateway
	found, err := w.ask(ctx, gateway, CheckSQL, comment)
	switch exception, heard := errors.AsType[*nativeException](err); {
	case heard:
		return Server{}, w.client.explain(exceptionText(exception.text("")), &statement{})
	case isHangUp(err):
		return Server{}, &porterhouse.Error{Kind: porterhouse.Unavailable, Public: secretRefused, Err: err}
	case err != nil:
		return Server{}, unreached(err)
	case len(found) != 1:
		return Server{}, &porterhouse.Error{Kind: porterhouse.Unavailable, Public: unreachable, Err: fmt.Errorf("the version is %q", found)}
	}
	return Server{Version: found[0]}, nil
}

// isHangUp reports whether the server closed the connection without a word: so it
// refuses a proof, and a user whom it does not know.
func isHangUp(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || isReset(err)
}

// close waits, until ctx ends, for what runs, and lets go of all connections.
func (w *bySecret) close(ctx context.Context) error {
	done := make(chan struct{})
	go func() { w.running.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.New("clickhouse: closed while statements ran; they were stopped")
	}
	w.stop() // which everything that runs notices
	w.pool.close()
	w.control.close()
	return err
}
