package authserver

import (
	"context"
	"errors"
)

// deviceGrant answers a program that asks whether somebody has agreed (RFC 8628,
// 3.4), and gives it tokens once. That it asks too often is told, and no more: stock
// clients keep their pace, whatever they are told.
func deviceGrant(s *Server) grant {
	return grant{name: GrantDevice, run: func(ctx context.Context, r *tokenRequest) (entitlement, error) {
		code := r.form.Get("device_code")
		if code == "" {
			return entitlement{}, refuse("invalid_request", "the parameter device_code is missing")
		}
		if !s.devices.polls.takeKey(stored("device", code)) {
			return entitlement{}, refuse("slow_down", "ask every %d seconds, not more often", int(devicePolling.Seconds()))
		}
		request, err := s.devices.redeem(ctx, code, r.client.ID)
		if errors.Is(err, errUsedCode) {
			return entitlement{}, s.replayed(ctx, r, request.authorization())
		} else if err != nil {
			return entitlement{}, err
		}
		who, err := s.confirmedOr(ctx, request.Who.principal(), func(ctx context.Context) error { return s.devices.putBack(ctx, code, request) })
		if err != nil {
			return entitlement{}, err
		}
		found := s.families.entitle(r.client, who, request.Scopes, request.Resource, request.Family)
		found.action = "device"
		return found, nil
	}}
}
