package clickhouse

import (
	"container/list"
	"sync"
	"time"
)

// Places remembers at which server of a cluster each client's session is, for as long as
// the session may live:
//
//	its first statement ─▶ keep ─▶ find, keep … ─▶ it is over, or closed (forget)
//	                                └ its server is away, or out ─▶ lose ─▶ keep: another life
//
// A session that its client was told is lost may still be there when its server comes
// back. So the next one with its name is another life, which no server confuses with the
// one before (sessionName), until that must be over.
//
// Places outlives the Clusters that share it, so that a session stays where it is when the
// servers of a cluster become others. The zero Places is ready for use.
type Places struct {
	mu     sync.Mutex
	all    map[sessionKey]*list.Element // of its owner's list
	owners map[string]*list.List        // of *spot; the one used last is at the back
	swept  time.Time                    // when those that are over were looked for last
}

// spot is where a session is.
type spot struct {
	key   sessionKey
	host  string        // its name and port; "": nowhere, since the session was lost or closed
	life  int           // how many with its name were lost before
	gone  bool          // what was set in it is, and its client does not know yet
	kept  time.Duration // the longest that it may be idle, of all that it was told: ClickHouse goes by the first
	until time.Time     // when it is over, and all before it are

	earlier time.Time // when all before it are over
}

// Bounds of Places. Beyond them those are forgotten that were not used for longest, of the
// owner or of whoever has most. Such a session is found by its name alone, which leads to
// the same server while the servers are the same.
const (
	maxPlaces      = 1 << 16
	maxOwnerPlaces = 1 << 10 // of one owner

	manyOwners = maxPlaces / maxOwnerPlaces // can have all the places: so many are looked at
)

// find is where a session is; the zero spot: nothing is known of it.
func (p *Places) find(key sessionKey) spot {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := p.at(key); at != nil && time.Now().Before(at.until) {
		return *at
	}
	return spot{}
}

// keep notes that a statement of a session's life is at a host, where it may take as long
// as running, and that the session may then be idle for timeout. A place never becomes
// shorter by it. What is said of a life that was lost meanwhile is not noted.
func (p *Places) keep(key sessionKey, life int, host string, timeout, running time.Duration) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.swept) > sessionTimeout {
		p.swept = now
		p.sweep(now)
	}
	at := p.at(key)
	if at != nil && !now.Before(at.until) {
		p.drop(key)
		at = nil
	}
	switch {
	case at == nil:
		at = p.begin(key, life)
	case at.life != life:
		return
	}
	p.owners[key.owner].MoveToBack(p.all[key])
	at.host, at.kept = host, max(at.kept, timeout)
	at.until = now.Add(at.kept + running)
	if at.until.Before(at.earlier) {
		at.until = at.earlier
	}
}

// lose notes that a life of a session is lost, and that its client is told so.
func (p *Places) lose(key sessionKey, life int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := p.at(key); at != nil && at.life == life {
		*at = spot{key: key, life: life + 1, until: at.until, earlier: at.until}
	}
}

// forget forgets a life of a session that has ended, or never began.
func (p *Places) forget(key sessionKey, life int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch at := p.at(key); {
	case at == nil || at.life != life || at.gone:
	case life == 0:
		p.drop(key)
	default:
		*at = spot{key: key, life: life, until: at.earlier, earlier: at.earlier}
	}
}

// Lose notes that of the sessions at a host, by its name and port, nothing is there any
// more that Porterhouse had of them. Whoever goes on in one is told so.
func (p *Places) Lose(host string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.all {
		if at := p.at(key); at.host == host {
			at.gone = true
		}
	}
}

// at is what is known of a session, be it over or not; nil: nothing. The caller holds mu.
func (p *Places) at(key sessionKey) *spot {
	if element := p.all[key]; element != nil {
		return element.Value.(*spot)
	}
	return nil
}

// begin makes room for a session, and takes it in. The caller holds mu.
func (p *Places) begin(key sessionKey, life int) *spot {
	if p.all == nil {
		p.all, p.owners = map[sessionKey]*list.Element{}, map[string]*list.List{}
	}
	if own := p.owners[key.owner]; own != nil && own.Len() >= maxOwnerPlaces {
		p.dropOldest(own)
	} else if len(p.all) >= maxPlaces {
		p.dropOldest(p.longest())
	}
	own := p.owners[key.owner]
	if own == nil {
		own = list.New()
		p.owners[key.owner] = own
	}
	at := &spot{key: key, life: life}
	p.all[key] = own.PushBack(at)
	return at
}

// longest is the list of whoever has most, of some owners. The caller holds mu.
func (p *Places) longest() (most *list.List) {
	looked := 0
	for _, own := range p.owners {
		if most == nil || own.Len() > most.Len() {
			most = own
		}
		if looked++; looked == manyOwners {
			break
		}
	}
	return most
}

// dropOldest takes out what an owner has not used for longest. The caller holds mu.
func (p *Places) dropOldest(own *list.List) {
	p.drop(own.Front().Value.(*spot).key)
}

// sweep forgets what is over. The caller holds mu.
func (p *Places) sweep(now time.Time) {
	for key := range p.all {
		if !now.Before(p.at(key).until) {
			p.drop(key)
		}
	}
}

// drop takes a session out. The caller holds mu.
func (p *Places) drop(key sessionKey) {
	own := p.owners[key.owner]
	own.Remove(p.all[key])
	delete(p.all, key)
	if own.Len() == 0 {
		delete(p.owners, key.owner)
	}
}
