package signin

import "sync/atomic"

type counts struct {
	signedIn, signedOut, refused, rechecked, denied, away atomic.Uint64
}

// Stats counts since New.
type Stats struct {
	SignedIn  uint64
	SignedOut uint64
	Refused   uint64 // pages that said why not
	Rechecked uint64 // a provider said yes again
	Denied    uint64 // a provider said no, and a login ended
	Away      uint64 // a provider could not be asked
}

// Stats returns the counts so far.
func (s *SignIn) Stats() Stats {
	return Stats{
		SignedIn:  s.counts.signedIn.Load(),
		SignedOut: s.counts.signedOut.Load(),
		Refused:   s.counts.refused.Load(),
		Rechecked: s.counts.rechecked.Load(),
		Denied:    s.counts.denied.Load(),
		Away:      s.counts.away.Load(),
	}
}
