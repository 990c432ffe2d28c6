package directory

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"porterhouse"
)

// census is how all accounts of a ClickHouse were at a moment: four statements,
// whoever asks for whichever account. With 10,000 users it takes a third of a second
// and is taken two or three times in a Lifetime; asking for each account apart would
// cost ClickHouse as much each time, for it goes through all users to answer.
type census struct {
	tick  uint64    // of registry.ticks
	taken time.Time // when its reading began

	users      map[string]*resident
	handed     map[string]bool     // roles that the provisioner may give and take, without the marker
	powerful   map[string]bool     // roles that carry access management, or a role that does
	inherited  map[string][]string // the roles of each role
	privileged map[string]bool     // users who hold access management, by themselves or by a role
	gateway    reach               // whom the gateway may impersonate

	outdated sync.Map // of UserName: accounts that we have changed since
}

func (c *census) isOutdated(name porterhouse.UserName) bool {
	_, changed := c.outdated.Load(name)
	return changed
}

// resident is one user.
type resident struct {
	method, hosts string // as in login
	allRoles      bool   // DEFAULT ROLE ALL
	roles         []string
	settings      []string // in order, as settingText writes them
}

func (r *resident) has(role string) bool { return slices.Contains(r.roles, role) }

// registry takes censuses, and knows the server.
type registry struct {
	*policy
	ticks atomic.Uint64 // orders censuses and errands

	mu      sync.Mutex
	last    *census  // the newest that is complete
	reading *reading // under way; nil: none

	noLogin struct { // whether the server knows no_authentication
		sync.Mutex
		asked, known bool
	}
}

// reading is a census that is being taken.
type reading struct {
	census *census
	done   chan struct{}
	err    error // once done
}

// readTime bounds a census.
const readTime = 30 * time.Second

// census returns one that is at most half a Lifetime old, that began after a tick,
// and that knows of our own changes to name. Whoever waits for the same one shares
// it.
func (g *registry) census(ctx context.Context, name porterhouse.UserName, after uint64) (*census, error) {
	for asked := g.ticks.Add(1); ; {
		r, c := g.attend(name, after)
		if c != nil {
			return c, nil
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			kind, public := porterhouse.Explain(ctx.Err())
			return nil, &porterhouse.Error{Kind: kind, Public: public, Err: ctx.Err()}
		}
		if r.err != nil && r.census.tick > after {
			return nil, r.err
		}
		if r.err == nil && r.census.tick > max(asked, after) && !r.census.isOutdated(name) {
			return r.census, nil // however short the Lifetime
		}
	}
}

// attend returns a census that will do, or one that is being taken: maybe one that
// will not do, but then the next one will.
func (g *registry) attend(name porterhouse.UserName, after uint64) (*reading, *census) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.last; c != nil && c.tick > after {
		age := g.config.Now().Sub(c.taken)
		if age < g.config.Lifetime/2 && !c.isOutdated(name) {
			if age > g.config.Lifetime*3/8 {
				g.begin() // before somebody has to wait for it
			}
			return nil, c
		}
	}
	return g.begin(), nil
}

// begin begins a census, unless one is being taken. The caller holds the lock.
func (g *registry) begin() *reading {
	if g.reading == nil {
		g.reading = &reading{census: &census{tick: g.ticks.Add(1), taken: g.config.Now()}, done: make(chan struct{})}
		go g.read(g.reading)
	}
	return g.reading
}

// read takes a census. It ends by itself, whoever still waits for it.
func (g *registry) read(r *reading) {
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	r.err = g.fill(ctx, r.census)
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.err == nil {
		g.last = r.census
	}
	g.reading = nil
	close(r.done)
}

// changed says that what any census knows of an account is outdated.
func (g *registry) changed(name porterhouse.UserName) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last != nil {
		g.last.outdated.Store(name, true)
	}
	if g.reading != nil {
		g.reading.census.outdated.Store(name, true)
	}
}

// originNow tells who made a user, as it is now. The error is as the Provisioner's Origin has it.
func (g *registry) originNow(ctx context.Context, name porterhouse.UserName) (Origin, error) {
	c, err := g.census(ctx, name, g.ticks.Add(1))
	if err != nil {
		return "", err
	}
	return g.origin(name.String(), c), nil
}

// Accounts lists the accounts that we made, by name. The error is as the Provisioner's Origin has it.
func (g *registry) Accounts(ctx context.Context) (list []porterhouse.UserName, err error) {
	c, err := g.census(ctx, porterhouse.UserName{}, g.ticks.Add(1))
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(c.users)) {
		if user, err := porterhouse.ParseUserName(name); err == nil && g.origin(name, c) == Ours {
			list = append(list, user)
		}
	}
	return list, nil
}

// The statements of a census. A user that the first one shows was made with its
// roles, so that the later ones show them.
const (
	readUsers = `SELECT name, toString(auth_type), default_roles_all,
 arrayStringConcat(arraySort(arrayConcat(host_ip, host_names, arrayMap(x -> concat('~', x), arrayConcat(host_names_regexp, host_names_like)))), ' ')
 FROM system.users`
	readRoles = `SELECT ifNull(user_name, ''), ifNull(role_name, ''), granted_role_name, with_admin_option
 FROM system.role_grants ORDER BY granted_role_name`
	readSettings = `SELECT ifNull(user_name, ''), ifNull(inherit_profile, ''), ifNull(setting_name, ''), ifNull(value, ''), ifNull(min, ''), ifNull(max, ''),
 ifNull(toString(writability), '') FROM system.settings_profile_elements WHERE user_name IS NOT NULL ORDER BY user_name, index`
)

func (g *registry) fill(ctx context.Context, c *census) error {
	for _, part := range []struct {
		sql  string
		take func(*census, [][]string)
	}{
		{readUsers, (*census).takeUsers},
		{readRoles, g.takeRoles},
		{readGrants, g.takeGrants},
		{readSettings, (*census).takeSettings},
	} {
		rows, err := g.config.Admin.Rows(ctx, part.sql, g.comment("", "census"))
		if err != nil {
			return err
		}
		part.take(c, rows)
	}
	return nil
}

func (c *census) takeUsers(rows [][]string) {
	c.users = make(map[string]*resident, len(rows))
	for _, row := range rows {
		c.users[row[0]] = &resident{method: strings.Trim(row[1], "[']"), allRoles: row[2] == "1", hosts: row[3]}
	}
}

func (c *census) takeSettings(rows [][]string) {
	for _, row := range rows {
		if r := c.users[row[0]]; r != nil {
			r.settings = append(r.settings, settingText(row[1], row[2], row[3], row[4], row[5], row[6]))
		}
	}
}
