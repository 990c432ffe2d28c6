package proxy

import (
	"fmt"
	"net/http"

	"porterhouse"
)

// errNobody is our own fault: whoever verifies must not do so.
var errNobody = porterhouse.Errorf(porterhouse.Internal, "the token was accepted, but names nobody")

// who proves who sends r.
func (s *Server) who(r *http.Request, p *parameters) (porterhouse.Principal, error) {
	c, err := s.credential(r, p)
	if err != nil {
		return porterhouse.Principal{}, s.stranger(r, err)
	}
	now := s.config.Now()
	mark := s.strangers.mark(c)
	if wait := s.strangers.wait(now, r.RemoteAddr, mark); wait > 0 {
		return porterhouse.Principal{}, &porterhouse.Error{Kind: porterhouse.Limited, RetryAfter: wait,
			Public: "too many wrong tokens came from this network: try again later"}
	}
	who, err := s.prove(r, c)
	if err == nil && who.Subject == "" {
		err = errNobody
	}
	if err != nil {
		err = worded(c.user, err)
		if kind, _ := porterhouse.Explain(err); kind == porterhouse.Unauthenticated {
			s.strangers.failed(now, r.RemoteAddr, mark)
			err = s.stranger(r, err)
		}
		return porterhouse.Principal{}, err
	}
	s.strangers.proved(now, mark)
	return who, nil
}

// prove asks those who know.
func (s *Server) prove(r *http.Request, c credential) (porterhouse.Principal, error) {
	if s.isPassword(c) {
		user, err := porterhouse.ParseUserName(c.user)
		if err != nil {
			return porterhouse.Principal{}, porterhouse.Errorf(porterhouse.Unauthenticated, "%v", err)
		}
		return s.config.Login(r.Context(), user, porterhouse.NewSecret(c.secret), r.RemoteAddr)
	}
	who, err := s.config.Verify(r.Context(), c.secret)
	if err != nil || c.user == "" {
		return who, err
	}
	return who, s.isAccountOf(r, c.user, who)
}

// isAccountOf refuses a token beside the name of somebody else's account: nobody is
// silently somebody else than they say.
func (s *Server) isAccountOf(r *http.Request, user string, who porterhouse.Principal) error {
	account, err := s.config.Gate.Account(r.Context(), who, s.entry)
	if err != nil {
		return err
	}
	if account.User.String() != user {
		return &porterhouse.Error{Kind: porterhouse.Unauthenticated, Code: codeAuthentication,
			Public: "password is incorrect, or there is no user with such name",
			Err:    fmt.Errorf("the token's owner is %q", account.User)}
	}
	return nil
}

// worded says of an error that nobody was proved what ClickHouse says of a wrong
// password: drivers then get a new token. Other kinds of errors stay what they are.
func worded(user string, err error) error {
	kind, text := porterhouse.Explain(err)
	if kind != porterhouse.Unauthenticated && kind != porterhouse.Invalid {
		return err
	}
	return &porterhouse.Error{Kind: porterhouse.Unauthenticated, Code: codeAuthentication, Public: failedFor(user, text), Err: err}
}

// stranger notes that somebody came whom nothing proved.
func (s *Server) stranger(r *http.Request, err error) error {
	s.config.Gate.Unauthenticated(Door, r.RemoteAddr, err)
	return err
}
