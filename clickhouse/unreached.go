package clickhouse

import (
	"cmp"

	"porterhouse"
)

// unreached is what a person is told when not one byte of a question reached
// ClickHouse. Most of what stands in the way passes; where it needs a hand, it is said
// whose and what for. It ends by itself once that is done: nothing is kept of a failure.
func unreached(err error) *porterhouse.Error {
	return &porterhouse.Error{Kind: porterhouse.Unavailable, Public: cmp.Or(needsAHand[networkCause(err)], unreachable), Err: unsent{err}}
}

// needsAHand has the causes that do not pass.
var needsAHand = map[Cause]string{
	Expired:   "ClickHouse's certificate has expired, or is not valid yet, so Porterhouse tells it nothing; tell the operator to renew it",
	Untrusted: "ClickHouse's certificate is signed by nobody whom Porterhouse trusts, so it is told nothing; tell the operator to name the authority in the cluster's tls.ca",
	WrongName: "ClickHouse's certificate is made out to another host, so Porterhouse tells it nothing; tell the operator to renew it, or to name that host in the cluster's tls.server_name",
}
