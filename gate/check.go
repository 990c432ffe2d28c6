package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/clickhouse"
	"porterhouse/statement"
)

// gatewayItself is who asks when Porterhouse looks after its own connection.
var gatewayItself = porterhouse.Principal{Issuer: "porterhouse", Subject: "gateway", User: "porterhouse"}

// Check logs in to each cluster as the gateway and asks one question, which is
// recorded like everybody's. It returns what each server said of itself, and
// joins the errors of those that did not answer.
func (g *Gate) Check(ctx context.Context) (map[string]clickhouse.Server, error) {
	found := make(map[string]clickhouse.Server, len(g.clusters))
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(g.clusters)) {
		server, err := g.checkCluster(ctx, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("cluster %s: %w", name, err))
			continue
		}
		found[name] = server
	}
	return found, errors.Join(errs...)
}

// Reviewed reports whether the names of functions and settings of a server of
// that version were looked at, one by one, for the statement check. A version
// that cannot be read was not.
func Reviewed(version string) bool {
	var year, month int
	if n, err := fmt.Sscanf(version, "%d.%d", &year, &month); n != 2 || err != nil {
		return false
	}
	return year < statement.ReviewedYear || year == statement.ReviewedYear && month <= statement.ReviewedMonth
}

func (g *Gate) checkCluster(ctx context.Context, name string) (clickhouse.Server, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return clickhouse.Server{}, fmt.Errorf("no random bytes for a query id: %w", err)
	}
	q := porterhouse.Query{ID: id.String(), SQL: clickhouse.CheckSQL}
	q.Via.Entry = porterhouse.Entry{Cluster: name, Door: "check"}
	record, err := g.open(audit.Question{ID: q.ID, Who: gatewayItself, Via: q.Via, SQL: q.SQL}, func() {}, g.clusters[name].Client, q.ID)
	if err != nil {
		return clickhouse.Server{}, err
	}
	server, err := g.clusters[name].Client.Check(ctx, comment(q.ID, &gatewayItself, &q))
	record.close(audit.Outcome{Duration: time.Since(record.since), Err: err})
	return server, err
}
