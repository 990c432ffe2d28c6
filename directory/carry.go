package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"porterhouse/audit"
)

// carryOut does the steps, one after the other.
func (g *registry) carryOut(ctx context.Context, w Wanted, id string, steps []step) error {
	for _, s := range steps {
		if err := g.do(ctx, w, id, s); err != nil {
			return err
		}
	}
	return nil
}

// do records a step, and then does it.
func (g *registry) do(ctx context.Context, w Wanted, id string, s step) error {
	event := w.event(id, s)
	if err := g.config.Audit.Account(event); err != nil {
		return err
	}
	defer g.changed(w.Account.User)
	event.Err = g.config.Admin.Exec(ctx, s.sql, g.comment(id, s.action))
	if event.Err == nil {
		g.config.Log.Info("account", "action", s.action, "account", event.Account, "roles", s.roles, "reason", s.reason, "id", id)
		return nil
	}
	return errors.Join(event.Err, g.config.Audit.Account(event))
}

func (w Wanted) event(id string, s step) audit.AccountEvent {
	return audit.AccountEvent{
		ID: id, Action: s.action, Who: w.Who, At: w.At, Account: w.Account.User.String(),
		Roles: s.roles, Reason: w.reasonFor(s), SQL: s.sql,
	}
}

// warn says which roles the rules give in vain.
func (g *registry) warn(w Wanted, id string, roles []string) {
	if len(roles) == 0 {
		return
	}
	s := step{action: "warning", roles: roles, reason: "no such roles, or the provisioner does not hold them WITH ADMIN OPTION, or they carry access management"}
	g.config.Log.Warn("roles cannot be given: "+s.reason, "account", w.Account.User.String(), "roles", roles, "id", id)
	if err := g.config.Audit.Account(w.event(id, s)); err != nil {
		g.config.Log.Error("the audit record lacks a warning", "account", w.Account.User.String(), "error", err)
	}
}

// reasonFor says why the account is as it is: what was found, and who said which
// groups.
func (w Wanted) reasonFor(s step) string {
	if w.Who.Proof == "" {
		return s.reason
	}
	reason := fmt.Sprintf("%s; proved by %s", s.reason, w.Who.Proof)
	if !w.Who.Issued.IsZero() {
		reason += " at " + w.Who.Issued.UTC().Format(time.RFC3339)
	}
	return reason + ", groups: " + strings.Join(w.Who.Groups, ", ")
}
