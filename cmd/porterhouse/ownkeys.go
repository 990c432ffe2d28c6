package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/go-jose/go-jose/v4"

	"porterhouse"
	"porterhouse/identity"
)

// askServerForKeys is how a command that only looks knows our own tokens: by the
// public keys that the running server tells everybody. nil: there are no such tokens.
func askServerForKeys(c Config) (func(ctx context.Context, id string) (*ecdsa.PublicKey, error), error) {
	if !c.SignIn.isOn() {
		return nil, nil
	}
	public, err := url.Parse(c.publicURL())
	if err != nil {
		return nil, err
	}
	config := c.outbound()
	config.AllowHosts = []string{public.Host} // it is ours, wherever it is
	outbound, err := identity.NewOutbound(config)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, id string) (*ecdsa.PublicKey, error) {
		reply, err := outbound.Get(ctx, c.publicURL()+"/jwks", nil)
		var set jose.JSONWebKeySet
		if err == nil && reply.Status != http.StatusOK {
			err = fmt.Errorf("it answers with status %d", reply.Status)
		}
		if err = cmp.Or(err, json.Unmarshal(reply.Body, &set)); err != nil {
			return nil, &porterhouse.Error{
				Kind:   porterhouse.Unavailable,
				Public: "the server cannot be asked for its keys, so nobody can tell whether this token is of it: is it running?",
				Err:    fmt.Errorf("the keys at %s/jwks: %w", c.publicURL(), err),
			}
		}
		for _, k := range set.Key(id) {
			if key, ok := k.Key.(*ecdsa.PublicKey); ok {
				return key, nil
			}
		}
		return nil, porterhouse.Errorf(porterhouse.Unauthenticated, "the server at %s has no key by which this token would be its own", c.publicURL())
	}, nil
}
