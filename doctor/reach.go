package doctor

import "porterhouse/clickhouse"

// obstacle is what stands in the way to a server, in words.
type obstacle struct{ text, remedy string }

// obstacles are all, by cause; url is how the configuration calls where the server is.
func obstacles(url string) map[clickhouse.Cause]obstacle {
	return map[clickhouse.Cause]obstacle{
		clickhouse.NoHost:        {"the name of its host leads nowhere", "check the host in " + url + ", and the DNS of this machine"},
		clickhouse.NobodyListens: {"nobody listens there", "check the port in " + url + " (8123 is plain HTTP, 8443 HTTPS, mostly), listen_host in ClickHouse's configuration, and whether it runs"},
		clickhouse.TooSlow:       {"it does not answer in time", "look for a firewall on the way that drops packets, and for what keeps the server so busy"},
		clickhouse.NoTLS:         {"no TLS connection comes about", "check that the port in " + url + " is the one for HTTPS (8443, mostly), and which versions of TLS it speaks"},
		clickhouse.Expired:       {"its certificate is not valid any more, or not yet", "renew the certificate on the server, and look at the clocks; once it is new, we connect again by ourselves"},
		clickhouse.Untrusted:     {"its certificate is signed by nobody whom we trust", "name the authority that signed it in tls.ca of the cluster"},
		clickhouse.WrongName:     {"its certificate is made out to another host", "use a name in " + url + " that the certificate has, or say tls.server_name"},
		clickhouse.NotClickHouse: {"somebody else answers there", "check host and port in " + url + ": it is no ClickHouse, or a proxy in front of it that answers by itself"},
		clickhouse.HungUp:        {"it closes the connection without a word", "look into the server's log; a proxy or a limit on connections may do that"},
		clickhouse.Broken:        {"the connection breaks", "look at the network in between, and whether the server was just started"},
	}
}

// obstacleOf is what stands in the way of a server that was not reached.
func (c Case) obstacleOf(reached clickhouse.Finding) obstacle {
	url := "url"
	if len(c.Others) > 0 {
		url = "its url in hosts"
	}
	if o, known := obstacles(url)[reached.Cause]; known {
		return o
	}
	return obstacle{"it cannot be asked", "check " + url + " of the cluster"}
}

// reach says whether there is a ClickHouse at all.
func (e road) reach() bool {
	f := e.Facts
	if f.Reached.Works() {
		e.fine("reached", "ClickHouse answers at %s", f.URL)
		return true
	}
	e.plan.Mode, e.plan.Why = e.configured(), "nothing could be looked at"
	o := e.obstacleOf(f.Reached)
	e.add(Finding{Wrong, "reached", f.URL + ": " + o.text, o.remedy, f.Reached.Said})
	return false
}

// steady says whether some of the trials were lost on the way, although others were
// not.
func (e road) steady() {
	f := e.Facts
	var lost []clickhouse.Finding
	slow := false
	for _, trial := range []clickhouse.Finding{
		f.Gateway.Login, f.Gateway.GrantsOf, f.OpenDefault, f.ExecuteAs.Known, f.ExecuteAs.Person, f.ExecuteAs.FormatKept,
		f.Bearer, f.CustomSettings, f.QueryLog, f.SessionLog,
	} {
		if trial.Failed(clickhouse.HungUp, clickhouse.Broken, clickhouse.TooSlow) {
			lost = append(lost, trial)
			slow = slow || trial.Cause == clickhouse.TooSlow
		}
	}
	switch {
	case len(lost) == 0:
	case slow:
		e.add(Finding{Careful, "slow", "some questions were not answered within the two seconds that a look takes, so not everything is known", "look for what keeps the server so busy, or how far away it is; then check again", lost[0].Said})
	default:
		e.add(Finding{Careful, "unsteady", "some connections broke and others did not, so not everything is known", "look for a server of several behind this address that is not well, or a proxy that closes connections; then check again", lost[0].Said})
	}
}
