package clickhouse

import (
	"context"
	"errors"
	"strings"
	"sync"

	"porterhouse"
)

// nativeLogin tries the native port with the gateway's password.
func (p *prober) nativeLogin(ctx context.Context) {
	f := &p.facts.Native
	if p.native == nil {
		f.Reached, f.Login = Finding{Cause: NotConfigured}, Finding{Cause: NotConfigured}
		return
	}
	f.Reached, f.Login = p.greet(ctx)
}

// greet says hello at the native port. That ClickHouse refuses the login says that it
// is there.
func (p *prober) greet(ctx context.Context) (reached, login Finding) {
	c, err := p.native.dial(ctx)
	if err != nil {
		return networkFinding(ctx, err), Finding{Cause: NotReached}
	}
	defer c.cut()
	defer context.AfterFunc(ctx, c.cut)()
	if err = p.native.secured(c); err == nil {
		_, err = c.Write(p.native.hello(""))
	}
	if err == nil {
		err = c.welcome()
	}
	if said, ok := errors.AsType[*nativeException](err); ok {
		return Finding{Outcome: Works}, exceptionFinding(said.text(""), p.User)
	}
	if err != nil {
		return networkFinding(ctx, err), Finding{Cause: NotReached}
	}
	return Finding{Outcome: Works}, Finding{Outcome: Works}
}

// secrets tries the cluster's secret, as the person and as the gateway's own user: that
// ClickHouse hangs up on one of them may mean that it does not know them.
func (f *NativeFacts) secrets(ctx context.Context, p *prober, person porterhouse.UserName) {
	a := p.Access
	if p.native == nil || a.Cluster == "" || a.Secret.IsZero() {
		f.Secret, f.SecretPerson = Finding{Cause: NotConfigured}, Finding{Cause: NotConfigured}
		return
	}
	var own Finding
	var wg sync.WaitGroup
	wg.Go(func() { own = p.secretAs(ctx, p.User) })
	if checkUser(person, p.User) != nil {
		f.SecretPerson = Finding{Cause: NoPerson}
	} else {
		wg.Go(func() { f.SecretPerson = p.secretAs(ctx, person.String()) })
	}
	wg.Wait()
	f.Secret = f.SecretPerson
	if !f.Secret.Works() && own.Outcome != Untried {
		f.Secret = own
	}
}

// secretAs asks as somebody under the cluster's secret. Nobody is never asked as: they
// could do everything.
func (p *prober) secretAs(ctx context.Context, name string) Finding {
	if name == "" {
		return Finding{Cause: NotConfigured}
	}
	c, err := p.native.openCluster(ctx, p.Access.Cluster, p.Access.Secret, "")
	if err != nil {
		return networkFinding(ctx, err)
	}
	defer c.cut()
	found, err := askTexts(ctx, &keptConn{nativeConn: c}, name, personSQL+probeText, probeComment)
	if said, ok := errors.AsType[*nativeException](err); ok {
		return exceptionFinding(said.text(""), name)
	}
	if err != nil {
		return networkFinding(ctx, err)
	}
	if len(found) != 2 || found[0] != name {
		return unexpected(strings.Join(found, " "))
	}
	return Finding{Outcome: Works}
}
