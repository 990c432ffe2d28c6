package gate

import (
	"context"

	"porterhouse"
)

// Gate is the one way in.
type Gate struct{}

// Query checks q, finds the account of who, records the question, runs it, and
// records how it ended when the answer's Body has ended or was closed.
func (g *Gate) Query(ctx context.Context, who porterhouse.Principal, q porterhouse.Query) (*porterhouse.Answer, error) {
	panic("skeleton")
}

// Account tells which ClickHouse account who acts as at the entry.
func (g *Gate) Account(ctx context.Context, who porterhouse.Principal, at porterhouse.Entry) (porterhouse.Account, error) {
	panic("skeleton")
}

// Limits are the widest that an answer can have.
func (g *Gate) Limits() porterhouse.Limits { panic("skeleton") }

// Unauthenticated records somebody whom no token proved.
func (g *Gate) Unauthenticated(door, remote string, err error) { panic("skeleton") }
