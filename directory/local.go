package directory

import (
	"context"
	"fmt"
)

// isLocal reports whether the account is a user that we did not make. It is an
// error to reach one that is not listed, and one that could give itself rights.
func (d *Directory) isLocal(ctx context.Context, m placed, in inquiry) (bool, error) {
	base, user, err := d.origins(ctx, m)
	if err != nil {
		return false, err
	}
	in.because.say("the user %q is %s in ClickHouse", m.user, user)
	listed := m.rules.local.has(m.base.String())
	switch {
	case base == Privileged || user == Privileged:
		err = fmt.Errorf("the user %q has rights in ClickHouse by which it could become others: nobody may act as it", m.base)
	case (base == Local || user == Local) && !listed:
		err = fmt.Errorf("the user %q was not made by us, and is not listed among the local users that these rules may lead to", m.base)
	case base == Local && user != Local:
		err = fmt.Errorf("the user %q is a local one, whose roles are not ours to know: make %q by hand, with fewer", m.base, m.user)
	}
	if err != nil {
		return false, refusal(in.who, err)
	}
	if user == Local {
		return true, nil
	}
	return false, d.provisioner.within(m.user)
}

// origins asks who made the person's own user, and that which is acted as. Without
// a Provisioner nobody knows, and we made none.
func (d *Directory) origins(ctx context.Context, m placed) (base, user Origin, err error) {
	if d.provisioner == nil {
		return Local, Local, nil
	}
	base, err = d.provisioner.Origin(ctx, m.base)
	if err != nil || m.persona == nil {
		return base, base, err
	}
	user, err = d.provisioner.Origin(ctx, m.user)
	return base, user, err
}
