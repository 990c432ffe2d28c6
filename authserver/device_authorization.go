package authserver

import (
	"log/slog"
	"net/http"
)

// deviceAnswer is what a program without a browser is told (RFC 8628, 3.2).
type deviceAnswer struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Page       string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int    `json:"expires_in"` // seconds
	Interval   int    `json:"interval"`   // seconds
}

// serveDeviceAuthorization answers POST /device_authorization: a program without a
// browser wants to ask a person. Anybody may, so what is kept for it is bounded, by
// network and altogether.
func serveDeviceAuthorization(s *Server) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, request, err := beginDevice(s, w, r)
		if err != nil {
			deny(s, w, r, err, slog.String("client", request.Client))
			return
		}
		s.Log.InfoContext(r.Context(), "a device waits for an answer", "request", requestID(r), "client", request.Client, "remote", r.RemoteAddr)
		writeJSON(w, http.StatusOK, answer)
	}
}

// beginDevice keeps the request, and makes its codes.
func beginDevice(s *Server, w http.ResponseWriter, r *http.Request) (answer deviceAnswer, request deviceRequest, err error) {
	form, err := readForm(w, r, "resource", "audience") // audience means nothing here; clickhouse-client sends one
	if err != nil {
		return answer, request, err
	}
	client, err := s.authenticate(r.Context(), r, form)
	if err != nil {
		return answer, request, err
	}
	request.Client, request.Remote = client.ID, r.RemoteAddr
	if !client.may(GrantDevice) {
		return answer, request, refuse("unauthorized_client", "this client may not use %s; its registration or its metadata document has to list it in grant_types", GrantDevice)
	}
	resource, err := s.resourceOf(client, form.Get("resource"))
	if err != nil {
		return answer, request, err
	}
	request.Resource = resource.URI
	if request.Scopes, err = askedScopes(form.Get("scope"), client, resource); err != nil {
		return answer, request, err
	}
	if !s.Limits.devices.take(r.RemoteAddr) {
		return answer, request, refuse("temporarily_unavailable", "too many devices of your network wait for an answer; try again in a minute").as(http.StatusTooManyRequests)
	}
	deviceCode, userCode, err := s.devices.begin(r.Context(), request)
	if err != nil {
		return answer, request, err
	}
	page := s.Issuer + pathDevice
	return deviceAnswer{
		DeviceCode: deviceCode, UserCode: showUserCode(userCode),
		Page: page, Complete: page + "?user_code=" + showUserCode(userCode),
		ExpiresIn: int(s.Lifetimes.Device.Seconds()), Interval: int(devicePolling.Seconds()),
	}, request, nil
}
