package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"porterhouse"
	"porterhouse/kv"
)

// errOrphan is why an account that was made for somebody unknown is given to nobody.
var errOrphan = errors.New("it was made before, and the store knows nobody who has it: the store was lost, or a Porterhouse with another store " +
	"makes accounts with the same prefix. When it is clear whose it is, let the next whom the rules lead there have it: porterhouse users release ACCOUNT")

// orphaned refuses the first to come to an account that we made and of which neither
// a binding nor a release is kept: it is somebody's whom nobody remembers. It
// reports whether the account was claimed meanwhile. An account is bound before it
// is made, so when it was seen, what a process that shares the store has bound is there.
func (b *Bindings) orphaned(ctx context.Context, c claim) (claimed bool, err error) {
	if c.made == nil {
		return false, nil
	}
	if made, err := c.made(ctx); err != nil || !made {
		return false, err
	}
	_, err = b.Store.Get(ctx, bindingKey(c.cluster, c.account))
	if errors.Is(err, kv.ErrNotFound) {
		return false, fmt.Errorf("the account %q: %w", c.account, errOrphan)
	}
	return err == nil, err
}

// made returns the question whether we made an account, as it is now; nil where the
// answer does not matter.
func (d *Directory) made(m placed, name porterhouse.UserName) func(context.Context) (bool, error) {
	if d.provisioner == nil || d.allowOrphans || m.rules.shared {
		return nil
	}
	return func(ctx context.Context) (bool, error) {
		origin, err := d.provisioner.originNow(ctx, name)
		return origin == Ours, err
	}
}

// Release ends the binding of an account, so that the next person whom the rules
// lead there has it, with all that is granted to it and all that it owns. What is
// kept instead is a mark that says so, also when there was no binding, as in a store
// that was lost. It returns what the binding was; its Issuer is "" if nobody was
// known to have the account. A binding that cannot be read is released too.
func (b *Bindings) Release(ctx context.Context, cluster, account string) (Binding, error) {
	for {
		was, raw, err := b.read(ctx, bindingKey(cluster, account))
		switch {
		case raw == nil && !errors.Is(err, kv.ErrNotFound):
			return Binding{}, err
		case err != nil:
			was = Binding{Cluster: cluster, Account: account}
		case was.isNobodys():
			return was, nil
		}
		if done, err := b.mark(ctx, was, raw); done || err != nil {
			return was, err
		}
	}
}

// ReleaseOrphan releases an account of which neither a binding nor a release is
// kept, and reports whether that was still so: whoever got it since it was found to
// be an orphan has it by right.
func (b *Bindings) ReleaseOrphan(ctx context.Context, cluster, account string) (released bool, err error) {
	_, err = b.Store.Get(ctx, bindingKey(cluster, account))
	if !errors.Is(err, kv.ErrNotFound) {
		return false, err
	}
	return b.mark(ctx, Binding{Cluster: cluster, Account: account}, nil)
}

// mark records a release and keeps its mark where raw was before, and reports
// whether it still was.
func (b *Bindings) mark(ctx context.Context, was Binding, raw []byte) (bool, error) {
	mark, err := json.Marshal(Binding{Cluster: was.Cluster, Account: was.Account, Released: b.moment()})
	if err != nil {
		return false, fmt.Errorf("directory: the release of the account %q: %w", was.Account, err)
	}
	if err := b.record(was.event("release")); err != nil {
		return false, err
	}
	return b.Store.Swap(ctx, bindingKey(was.Cluster, was.Account), raw, mark, 0)
}

// Orphans are those of some accounts of a cluster that b knows nothing of. The
// accounts must have been listed before: what is bound is bound before it is made.
func (b *Bindings) Orphans(ctx context.Context, cluster string, accounts []porterhouse.UserName) (orphans []porterhouse.UserName, err error) {
	for _, account := range accounts {
		_, err := b.Store.Get(ctx, bindingKey(cluster, account.String()))
		switch {
		case errors.Is(err, kv.ErrNotFound):
			orphans = append(orphans, account)
		case err != nil:
			return nil, err
		}
	}
	return orphans, nil
}
