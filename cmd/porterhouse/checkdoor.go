package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// doorway is the MCP door as somebody sees it who has nothing but its URL:
//
//	POST without a token ─▶ 401, resource_metadata (RFC 9728, 5.1)
//	  ─▶ the door's own document ─▶ who gives out tokens for it?
//	  ─▶ their document (RFC 8414, or OpenID Connect Discovery) ─▶ how is a client known there?
type doorway struct {
	URL      string       `json:"url"`
	Findings []finding    `json:"findings"`
	Views    []clientView `json:"clients"` // what each client would see; none where the door does not get that far

	origin string // our public URL
	client *http.Client
	server authority
	old    finding // of where clients look that know nothing of RFC 9728
}

// authority is what of the metadata of an authorization server matters to clients.
type authority struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Registration  string   `json:"registration_endpoint"`
	Device        string   `json:"device_authorization_endpoint"`
	Challenges    []string `json:"code_challenge_methods_supported"`
	Documents     bool     `json:"client_id_metadata_document_supported"`
}

// How long one document may take, and how large it may be.
const (
	visitTime   = 5 * time.Second
	maxMetadata = 256 << 10
)

func newDoorway(c Config, way mcpWay) doorway {
	return doorway{URL: c.publicURL() + way.path, origin: c.publicURL(), client: &http.Client{Timeout: visitTime}}
}

// visit goes the way of a client as far as it leads.
func (d doorway) visit(ctx context.Context) doorway {
	address := d.challenge(ctx)
	if address == "" {
		return d
	}
	issuer := d.resource(ctx, address)
	if issuer == "" {
		return d
	}
	if d.authority(ctx, issuer) {
		d.old = d.withoutResource(ctx)
		for _, c := range mcpClients() {
			d.Views = append(d.Views, clientView{c.name, c.sees(d)})
		}
	}
	return d
}

func (d *doorway) add(l level, format string, args ...any) {
	d.Findings = append(d.Findings, finding{l, fmt.Sprintf(format, args...)})
}

// hello is what a client says first.
const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"porterhouse check","version":"1"}}}`

var metadataParameter = regexp.MustCompile(`(?i)\bresource_metadata="([^"]*)"`)

// challenge knocks without a token, and returns where the answer says the door
// documents itself.
func (d *doorway) challenge(ctx context.Context) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, strings.NewReader(hello))
	if err != nil {
		d.add(wrong, "%s is no URL: check public_url", d.URL)
		return ""
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	response, err := d.client.Do(request)
	if err != nil {
		d.add(careful, "nobody answers at %s: porterhouse serve does not run, or public_url leads elsewhere: %v", d.URL, err)
		return ""
	}
	defer response.Body.Close()
	found := metadataParameter.FindStringSubmatch(response.Header.Get("WWW-Authenticate"))
	switch {
	case response.StatusCode != http.StatusUnauthorized:
		d.add(wrong, "whoever comes without a token sees status %d at %s, not 401: is public_url this Porterhouse, and does a proxy in front pass Host and Authorization on?", response.StatusCode, d.URL)
		return ""
	case found == nil:
		d.add(wrong, "the 401 at %s has no WWW-Authenticate with resource_metadata: a proxy in front takes it away", d.URL)
		return ""
	}
	d.add(fine, "whoever comes without a token is told of %s", found[1])
	return found[1]
}

// resource reads the door's own document, and returns who gives out tokens for it.
func (d *doorway) resource(ctx context.Context, address string) string {
	var said struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
	}
	if problem := d.get(ctx, address, &said); problem != "" {
		d.add(wrong, "the door's own document: %s", problem)
		return ""
	}
	switch {
	case said.Resource != d.URL:
		d.add(wrong, "the door's own document is about %q, and clients asked for %q: they refuse it; check public_url", said.Resource, d.URL)
		return ""
	case len(said.Servers) == 0:
		d.add(careful, "nobody is named who gives out tokens: clients need an API token in their configuration. Signing in begins with sign_in")
		return ""
	}
	d.add(fine, "tokens for it are given out by %s", said.Servers[0])
	return said.Servers[0]
}

// authority reads what the authorization server says of itself, where clients look,
// and reports whether they can go on with it.
func (d *doorway) authority(ctx context.Context, issuer string) bool {
	var problems []string
	for _, address := range metadataAddresses(issuer) {
		var said authority
		if problem := d.get(ctx, address, &said); problem != "" {
			problems = append(problems, problem)
			continue
		}
		d.server = said
		return d.judge(issuer, address)
	}
	d.add(wrong, "%s documents itself nowhere: %s", issuer, strings.Join(problems, "; "))
	return false
}

// judge says whether clients take such metadata.
func (d *doorway) judge(issuer, address string) bool {
	s := d.server
	switch {
	case s.Issuer != issuer:
		d.add(wrong, "what is at %s is of the issuer %q, not %q: clients refuse it", address, s.Issuer, issuer)
	case s.Authorization == "" || s.Token == "":
		d.add(wrong, "%s has no authorization_endpoint or no token_endpoint", address)
	case !slices.Contains(s.Challenges, "S256"):
		d.add(wrong, "%s does not say that it knows PKCE with S256 (code_challenge_methods_supported): MCP clients refuse to go on", address)
	default:
		d.add(fine, "it documents itself at %s, and people sign in at %s", address, s.Authorization)
		return true
	}
	return false
}

// metadataAddresses are where clients look for the metadata of an issuer, in their
// order (RFC 8414, 3.1, and OpenID Connect Discovery).
func metadataAddresses(issuer string) []string {
	at, err := url.Parse(issuer)
	if err != nil {
		return nil
	}
	origin, path := at.Scheme+"://"+at.Host, strings.TrimRight(at.Path, "/")
	all := []string{origin + "/.well-known/oauth-authorization-server" + path, origin + "/.well-known/openid-configuration" + path}
	if path != "" {
		all = append(all, origin+path+"/.well-known/openid-configuration")
	}
	return all
}

// withoutResource looks where clients do that know nothing of RFC 9728: at the door's
// own host.
func (d *doorway) withoutResource(ctx context.Context) finding {
	var said authority
	if problem := d.get(ctx, d.origin+"/.well-known/oauth-authorization-server", &said); problem != "" {
		return finding{careful, "finds nobody to sign in at: it looks at " + d.origin + " only, and the tokens are given out elsewhere"}
	}
	return finding{fine, ""}
}

// get reads a JSON document, and tells what is wrong with it; "": nothing.
func (d *doorway) get(ctx context.Context, address string, into any) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Sprintf("%q is no URL", address)
	}
	response, err := d.client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Sprintf("%s answers with status %d", address, response.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxMetadata)).Decode(into); err != nil {
		return address + " is not the JSON that it should be"
	}
	return ""
}

// verdict is how a command ends that has looked at the door.
func (d doorway) verdict() error {
	isWrong := func(f finding) bool { return f.level >= wrong }
	if slices.ContainsFunc(d.Findings, isWrong) || slices.ContainsFunc(d.Views, func(v clientView) bool { return isWrong(v.Sees) }) {
		return errFindings
	}
	return nil
}

// print tells everything, for people.
func (d doorway) print(w io.Writer) {
	fmt.Fprintf(w, "MCP clients at %s\n", visible(d.URL))
	for _, f := range d.Findings {
		fmt.Fprintf(w, "  %-7s %s\n", f.level, visible(f.text))
	}
	for _, v := range d.Views {
		fmt.Fprintf(w, "  %-7s %s: %s\n", v.Sees.level, v.Client, visible(v.Sees.text))
	}
}
