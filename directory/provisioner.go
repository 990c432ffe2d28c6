package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/clickhouse"
	"porterhouse/kv"
)

// ProvisionerConfig says as whom, and within which bounds, the accounts of one
// ClickHouse are made.
type ProvisionerConfig struct {
	Admin *clickhouse.Admin // logs in as the provisioner's account
	Audit *audit.Log        // gets each change before it is made
	// Store keeps when an account was last wanted, for Absent. Nil: nobody is absent.
	Store   kv.Store
	Cluster string // our name of it, for Store and the record

	Gateway string // the account that impersonates the people
	// Prefix is how the names of all accounts begin that are made or changed: letters,
	// digits and underscores. ClickHouse bounds the provisioner by it as well.
	Prefix string
	// AllowUnbounded goes without Prefix: then the provisioner may change any user
	// that is not in a file, and only we keep it from doing so.
	AllowUnbounded bool
	// Marker is the role that tells our accounts from others. It has no rights. "" is
	// porterhouse_account.
	Marker string

	Mode         AccessMode // how people get into their accounts; "" is ExecuteAs
	GatewayHosts []string   // Interserver: addresses, networks or names of the gateways
	HTTPServer   string     // HTTP: the name in http_authentication_servers

	// Settings are settings that every account has as CONST, by their name.
	Settings map[string]string
	// Constraints hold for every account; those of a Wanted come on top.
	Constraints Constraints
	// OnCluster is ClickHouse's own name of the cluster whose servers each keep their
	// own users. "": one server, or users that are replicated by ClickHouse itself.
	OnCluster string

	// Lifetime is how long an account is taken to be as it was made: within it a
	// change that others made is found and mended. 0: a minute.
	Lifetime time.Duration
	// MaxAccounts is how many accounts are known at a time. 0: 100,000.
	MaxAccounts int
	Log         *slog.Logger     // nil: discarded
	Now         func() time.Time // nil: time.Now
}

// What a zero field of ProvisionerConfig stands for.
const (
	defaultMarker      = "porterhouse_account"
	provisionLifetime  = time.Minute
	defaultMaxAccounts = 100_000
)

// Provisioner sees to it that accounts are in ClickHouse as they are wanted.
//
//	Wanted ─▶ as it was found lately? ─▶ nothing to do
//	                │ no
//	          census of all accounts ─▶ steps ─▶ audit, then ClickHouse, one by one
//
// It only ever touches users that have the marker role, and of their roles only
// those that it may hand out itself. It is safe for concurrent use, and several may
// work on one ClickHouse at once: CREATE USER has one winner, which gives the marker
// role in the same statement.
type Provisioner struct {
	*policy
	*registry
	*presences

	mu      sync.RWMutex
	made    map[porterhouse.UserName]made
	errands map[porterhouse.UserName]*errand
}

// made is what became of an account.
type made struct {
	wanted  Wanted
	until   time.Time
	noted   time.Time // when Store was told that it is wanted
	lacking []string  // wanted roles that could not be given, of which the record knows
	err     error     // refused, for a short while
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// NewProvisioner checks c. It asks ClickHouse nothing; see Check.
func NewProvisioner(c ProvisionerConfig) (*Provisioner, error) {
	c.fill()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("directory: provisioner: %w", err)
	}
	ours := &policy{config: c}
	if c.OnCluster != "" {
		ours.on = " ON CLUSTER " + clickhouse.QuoteString(c.OnCluster)
	}
	if c.Prefix == "" {
		c.Log.Warn("AllowUnbounded: ClickHouse lets the provisioner change any user; give it a prefix", "user", c.Admin.User())
	}
	return &Provisioner{
		policy: ours, registry: &registry{policy: ours}, presences: &presences{ours},
		made: map[porterhouse.UserName]made{}, errands: map[porterhouse.UserName]*errand{},
	}, nil
}

func (c *ProvisionerConfig) fill() {
	if c.Marker == "" {
		c.Marker = defaultMarker
	}
	if c.Mode == "" {
		c.Mode = ExecuteAs
	}
	if c.Lifetime == 0 {
		c.Lifetime = provisionLifetime
	}
	if c.MaxAccounts == 0 {
		c.MaxAccounts = defaultMaxAccounts
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

func (c *ProvisionerConfig) check() error {
	switch {
	case c.Admin == nil:
		return errors.New("it has no connection of its own")
	case c.Audit == nil:
		return errors.New("it has no audit record, and without a record no account is changed")
	case c.Gateway == "":
		return errors.New("the gateway's account is not named")
	case c.Gateway == c.Admin.User():
		return fmt.Errorf("the gateway's account %q makes the accounts as well: give the provisioner one of its own", c.Gateway)
	case c.Prefix == "" && !c.AllowUnbounded:
		return errors.New("without a prefix ClickHouse cannot bound what it may change: name one, such as ph_, or allow an unbounded provisioner")
	case c.Prefix != "" && !plainName.MatchString(c.Prefix):
		return fmt.Errorf("the prefix %q has something else than letters, digits and underscores", c.Prefix)
	case c.Prefix != "" && (strings.HasPrefix(c.Gateway, c.Prefix) || strings.HasPrefix(c.Admin.User(), c.Prefix) || strings.HasPrefix(alwaysDenied, c.Prefix)):
		return fmt.Errorf("the gateway, the provisioner or default begins with the prefix %q, so the provisioner could change it", c.Prefix)
	case c.Lifetime < 0 || c.MaxAccounts < 0:
		return errors.New("a lifetime or a number of accounts is negative")
	}
	return errors.Join(c.checkMode(), c.checkSettings())
}

// Ensure makes the account, or mends it. A nil error means that it was as wanted
// within the last Lifetime. The error is a *porterhouse.Error: Refused when the user
// is not ours, Unavailable when ClickHouse or the record is away, or does not let us.
func (p *Provisioner) Ensure(ctx context.Context, w Wanted) error {
	if err := p.within(w.Account.User); err != nil {
		return err
	}
	for {
		p.mu.RLock()
		m, found := p.made[w.Account.User]
		p.mu.RUnlock()
		if found && p.config.Now().Before(m.until) && m.wanted.same(w) {
			return m.err
		}
		e := p.board(w)
		select {
		case <-e.done:
		case <-ctx.Done():
			kind, public := porterhouse.Explain(ctx.Err())
			return &porterhouse.Error{Kind: kind, Public: public, Err: ctx.Err()}
		}
		if e.wanted.same(w) {
			return e.err
		}
	}
}

// same reports whether two accounts of one name are wanted alike.
func (w Wanted) same(other Wanted) bool {
	return w.Account.User == other.Account.User && w.Account.Profile == other.Account.Profile &&
		w.Constraints == other.Constraints && slices.Equal(w.Account.Roles, other.Account.Roles)
}

// Origin tells who made a user, as it was at most a Lifetime ago. The error is a
// *porterhouse.Error of kind Unavailable.
func (p *Provisioner) Origin(ctx context.Context, name porterhouse.UserName) (Origin, error) {
	if p.isStaff(name.String()) {
		return Privileged, nil
	}
	p.mu.RLock()
	m, found := p.made[name]
	p.mu.RUnlock()
	if found && m.err == nil && p.config.Now().Before(m.until) {
		return Ours, nil
	}
	c, err := p.census(ctx, name, 0)
	if err != nil {
		return "", err
	}
	return p.origin(name.String(), c), nil
}

// Plan returns the statements that Ensure would run now, and runs none. A made-up
// hash in one of them is another one each time.
func (p *Provisioner) Plan(ctx context.Context, w Wanted) ([]string, error) {
	if err := p.within(w.Account.User); err != nil {
		return nil, err
	}
	l, err := p.login(ctx)
	if err != nil {
		return nil, err
	}
	c, err := p.census(ctx, w.Account.User, p.ticks.Add(1))
	if err != nil {
		return nil, err
	}
	course, refused := p.plan(w, c, l)
	if refused != nil {
		return nil, p.refuse(w.Account.User, refused)
	}
	var statements []string
	for _, s := range course.steps {
		statements = append(statements, s.sql)
	}
	if len(course.lacking) > 0 {
		statements = append(statements, "-- not to be given: "+strings.Join(course.lacking, ", "))
	}
	return statements, nil
}
