package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"porterhouse/identity"
)

// What check idp says of a document is what becomes of tokens.
func TestFindings(t *testing.T) {
	at := "https://idp.example.com"
	discovery := at + "/.well-known/openid-configuration"
	openid := identity.Settings{Type: "openid", ConfigurationEndpoint: discovery}
	with := func(change func(*identity.Settings)) identity.Settings {
		s := openid
		change(&s)
		return s
	}
	client := func(s *identity.Settings) { s.IntrospectionClientID = "porterhouse" }
	all := document{Issuer: at, Userinfo: at + "/userinfo", Introspection: at + "/introspect"}
	for _, test := range []struct {
		name string
		is   finding
		want level
		text string
	}{
		{"its issuer", visit{Settings: openid}.issuer(at, discovery), fine, "its issuer is"},
		{"its issuer with a slash", visit{Settings: openid}.issuer(at+"/", discovery), fine, "its issuer is"},
		{"no issuer", visit{Settings: openid}.issuer("", discovery), wrong, "names no issuer"},
		{"another issuer", visit{Settings: openid}.issuer("https://evil.example.com", discovery), wrong, "name it as expected_issuer"},
		{"not the expected issuer", visit{Settings: with(func(s *identity.Settings) { s.ExpectedIssuer = at + "/" })}.issuer(at, discovery), wrong, "a slash at the end"},
		{"Entra's old issuer", visit{Settings: identity.Settings{Type: "entra", TenantID: "x", ExpectedIssuer: "https://sts.windows.net/x/"}}.issuer("https://login.microsoftonline.com/x/v2.0", discovery), careful, "compare with iss"},
		{"introspection", visit{Settings: with(client)}.opaque(all), fine, "introspected at"},
		{"no client for introspection", visit{Settings: openid}.opaque(all), careful, "are refused"},
		{"userinfo alone", visit{Settings: with(func(s *identity.Settings) { s.AllowAnyAudience = true })}.opaque(document{Userinfo: at}), careful, "does not say whom they are for"},
		{"userinfo with an audience", visit{Settings: openid}.opaque(document{Userinfo: at}), careful, "are refused"},
		{"Entra", visit{Settings: identity.Settings{Type: "entra", IntrospectionClientID: "for Graph"}}.opaque(all), fine, "JWTs, all of them"},
	} {
		if test.is.level != test.want || !strings.Contains(test.is.text, test.text) {
			t.Errorf("%s: %s %s; want %s, %q", test.name, test.is.level, test.is.text, test.want, test.text)
		}
	}
}

func TestClocksAreCompared(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		leeway, apart time.Duration
		want          level
	}{
		{0, 0, fine}, {0, 6 * time.Second, careful}, {0, -6 * time.Second, careful}, {0, time.Minute, careful}, {0, 2 * time.Minute, wrong}, {0, -2 * time.Minute, wrong},
		{-1, time.Second, fine}, {-1, 3 * time.Second, wrong}, {5 * time.Minute, 2 * time.Minute, careful},
	} {
		header := http.Header{"Date": {now.Add(test.apart).Format(http.TimeFormat)}}
		got := visit{Settings: identity.Settings{VerifierLeeway: test.leeway}}.clock(header, now)
		if got.level != test.want || strings.Contains(got.text, "-1ns") {
			t.Errorf("leeway %v, %v apart: %s %s", test.leeway, test.apart, got.level, got.text)
		}
	}
	if got := (visit{}).clock(nil, now); got.level != careful {
		t.Errorf("without a date: %s %s", got.level, got.text)
	}
}
