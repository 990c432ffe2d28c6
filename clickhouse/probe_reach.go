package clickhouse

import (
	"context"
	"crypto/tls"
	"slices"
	"sync/atomic"
)

// ping asks whether ClickHouse answers at all.
func (a *asker) ping(ctx context.Context) Finding {
	var found Finding
	for range attempts {
		if found = a.pingOnce(ctx); !a.again(found) {
			break
		}
	}
	return found
}

func (a *asker) pingOnce(ctx context.Context) Finding {
	response, err := a.pool.ask(ctx, outgoing{head: a.target.get("/ping")}, new(atomic.Bool))
	if err != nil {
		return networkFinding(ctx, err)
	}
	defer response.body.Close()
	answer, err := readAnswer(response)
	if err == nil && answer == "Ok.\n" {
		return Finding{Outcome: Works}
	}
	if err == nil {
		err = notClickHouse(response)
	}
	f := networkFinding(ctx, ownWords(err))
	if ctx.Err() == nil && !f.Failed(HungUp) {
		f.Cause = NotClickHouse
	}
	return f
}

// shown is what the server's certificate says; nil without TLS.
func (a *asker) shown() *TLSFact {
	state := a.secured.Load()
	if state == nil || len(state.PeerCertificates) == 0 {
		return nil
	}
	leaf := state.PeerCertificates[0]
	f := &TLSFact{
		Version: tls.VersionName(state.Version), Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(),
		Names: slices.Clone(leaf.DNSNames), Until: leaf.NotAfter,
	}
	for _, address := range leaf.IPAddresses {
		f.Names = append(f.Names, address.String())
	}
	for _, c := range state.PeerCertificates {
		if c.NotAfter.Before(f.Until) {
			f.Until = c.NotAfter
		}
	}
	return f
}
