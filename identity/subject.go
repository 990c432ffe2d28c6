package identity

import "errors"

// NewSubjectVerifier makes the verifier of tokens that one client may exchange (RFC 8693): of
// any of the processors, for one of the audiences, and nothing looser. What else the
// processors accept beside an audience (expected_audience, any, a client in its place)
// does not count: only what is on this client's list does.
func NewSubjectVerifier(settings []Settings, audiences []string, p *Providers) (*Verifier, error) {
	if len(audiences) == 0 {
		return nil, errors.New("identity: no token could be exchanged: name the audiences that it may be for")
	}
	processors, err := NewProcessors(settings, Resource{Door: "token exchange", Audiences: audiences, exact: true}, p)
	if err != nil {
		return nil, err
	}
	return New(Config{Processors: processors})
}
