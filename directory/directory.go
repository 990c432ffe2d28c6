package directory

import (
	"context"

	"porterhouse"
)

// Config is the rules of one cluster.
type Config struct {
	UserName string // template of the ClickHouse user name, such as "{localpart}"
}

// Directory turns people into accounts.
type Directory struct{}

// New checks the rules.
func New(c Config) (*Directory, error) { panic("skeleton") }

// Account finds the ClickHouse account of who at the entry.
func (d *Directory) Account(ctx context.Context, who porterhouse.Principal, at porterhouse.Entry) (porterhouse.Account, error) {
	panic("skeleton")
}
