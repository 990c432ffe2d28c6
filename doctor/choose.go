package doctor

import "porterhouse/clickhouse"

// Modes of which a Case may speak before a Client can run in them.
const (
	auto        clickhouse.Mode = "auto"
	interserver clickhouse.Mode = "interserver"
)

// choose returns the best mode that was found to work, and why: the person's own login
// before everything, then what only the gateway's grants decide, then the secret that
// makes whoever has it anybody. Static is never chosen. "": none works.
func choose(f clickhouse.Facts) (mode clickhouse.Mode, why string) {
	switch {
	case f.Ticket.Works():
		return clickhouse.Verify, "ClickHouse asks our authenticator, so people's sessions are their own"
	case f.ExecuteAs.Known.Works():
		return clickhouse.ExecuteAs, "EXECUTE AS is there, and needs nothing but grants"
	case f.Native.Secret.Works():
		return interserver, "there is no EXECUTE AS, and the cluster's secret was given"
	case f.Bearer.Works():
		return clickhouse.Forward, "ClickHouse takes tokens, and nothing else works"
	}
	return "", "there is no EXECUTE AS, ClickHouse does not ask us, takes no tokens, and no secret of the cluster was given that works"
}
