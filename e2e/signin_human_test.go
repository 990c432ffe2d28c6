package e2e

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// human is somebody with a browser of few words: it keeps cookies, follows redirects,
// fills in forms and presses buttons, and tells nothing that the pages do not say.
type human struct {
	t    *testing.T
	http *http.Client

	at     *url.URL // of the page
	status int
	header http.Header
	page   page
}

func newHuman(t *testing.T) *human {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &human{t: t, http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// open goes to an address and follows redirects until there is a page, or until one
// leads to where. It returns that address; nil: it is at a page.
func (p *human) open(address, where string) *url.URL {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.follow(request, where)
}

// follow sends a request and what its answers lead to.
func (p *human) follow(request *http.Request, where string) *url.URL {
	p.t.Helper()
	for range 15 {
		response, err := p.http.Do(request)
		if err != nil {
			p.t.Fatal(err)
		}
		p.at, p.status, p.header = request.URL, response.StatusCode, response.Header
		p.page = readPage(io.LimitReader(response.Body, 1<<20))
		_ = response.Body.Close() // only read
		next, err := response.Location()
		if err != nil {
			return nil
		}
		if where != "" && strings.HasPrefix(next.String(), where) {
			return next
		}
		if next.Scheme != "http" {
			p.t.Fatalf("%s leads to %s, and not to %s", p.at, next, where)
		}
		if request, err = http.NewRequestWithContext(p.t.Context(), http.MethodGet, next.String(), nil); err != nil {
			p.t.Fatal(err)
		}
	}
	p.t.Fatalf("the redirects do not end: at last %s", p.at)
	return nil
}

// press submits the form with a button, or follows the link, whose words contain
// label. fill, when not nil, changes the form's fields first. It follows as open does.
func (p *human) press(label, where string, fill func(url.Values)) *url.URL {
	p.t.Helper()
	for _, l := range p.page.links {
		if strings.Contains(l.label, label) {
			return p.open(p.resolve(l.href), where)
		}
	}
	f, pressed := p.page.find(label)
	if f == nil {
		p.t.Fatalf("at %s (HTTP %d) there is no %q:\n%s", p.at, p.status, label, p.page.text)
	}
	fields := url.Values{}
	for name, values := range f.fields {
		fields[name] = slices.Clone(values)
	}
	if pressed.name != "" {
		fields.Set(pressed.name, pressed.value)
	}
	if fill != nil {
		fill(fields)
	}
	return p.submit(f, fields, where)
}

// submit sends a form as browsers do, and says where it comes from as they do.
func (p *human) submit(f *form, fields url.Values, where string) *url.URL {
	p.t.Helper()
	action, err := url.Parse(p.resolve(f.action))
	if err != nil {
		p.t.Fatal(err)
	}
	method, body := http.MethodPost, fields.Encode()
	if !f.post {
		method, body, action.RawQuery = http.MethodGet, "", fields.Encode()
	}
	request, err := http.NewRequestWithContext(p.t.Context(), method, action.String(), strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if f.post {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", p.at.Scheme+"://"+p.at.Host)
		request.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return p.follow(request, where)
}

func (p *human) resolve(reference string) string {
	p.t.Helper()
	address, err := p.at.Parse(reference)
	if err != nil {
		p.t.Fatal(err)
	}
	return address.String()
}

// reads fails the test when the page does not say all of the words.
func (p *human) reads(words ...string) {
	p.t.Helper()
	for _, word := range words {
		if !strings.Contains(p.page.text, word) {
			p.t.Errorf("at %s (HTTP %d) there is no word of %q:\n%s", p.at, p.status, word, p.page.text)
		}
	}
}

// page is what somebody sees of a page.
type page struct {
	text  string
	forms []*form
	links []link
}

type form struct {
	action  string
	post    bool
	fields  url.Values // as they are filled in: a box that is not ticked is not there
	buttons []button
}

type button struct{ name, value, label string }

type link struct{ href, label string }

// find returns the form with a button whose words contain label.
func (p *page) find(label string) (*form, button) {
	for _, f := range p.forms {
		for _, b := range f.buttons {
			if strings.Contains(b.label, label) {
				return f, b
			}
		}
	}
	return nil, button{}
}

// readPage reads HTML as far as forms, links and words go.
func readPage(body io.Reader) page {
	decoder := xml.NewDecoder(body)
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	r := reader{}
	for {
		token, err := decoder.Token()
		if err != nil { // its end, or something that is no HTML
			r.page.text = strings.Join(strings.Fields(r.text.String()), " ")
			return r.page
		}
		switch token := token.(type) {
		case xml.StartElement:
			r.start(strings.ToLower(token.Name.Local), attributes(token))
		case xml.EndElement:
			r.end(strings.ToLower(token.Name.Local))
		case xml.CharData:
			r.words(string(token))
		}
	}
}

func attributes(e xml.StartElement) map[string]string {
	all := map[string]string{}
	for _, a := range e.Attr {
		all[strings.ToLower(a.Name.Local)] = a.Value
	}
	return all
}

// reader is a page that is being read.
type reader struct {
	page   page
	text   strings.Builder
	form   *form            // within which we are
	label  *strings.Builder // of the button or link within which we are
	button button
	link   link
	silent string // the element, such as style, whose text nobody sees
}

func (r *reader) start(name string, is map[string]string) {
	switch name {
	case "style", "script", "title":
		r.silent = name
	case "form":
		r.form = &form{action: is["action"], post: strings.EqualFold(is["method"], "post"), fields: url.Values{}}
		r.page.forms = append(r.page.forms, r.form)
	case "input":
		r.input(is)
	case "button":
		r.button, r.label = button{name: is["name"], value: is["value"]}, &strings.Builder{}
	case "a":
		r.link, r.label = link{href: is["href"]}, &strings.Builder{}
	}
}

func (r *reader) input(is map[string]string) {
	if r.form == nil {
		return
	}
	_, checked := is["checked"]
	switch kind := strings.ToLower(is["type"]); kind {
	case "submit":
		r.form.buttons = append(r.form.buttons, button{is["name"], is["value"], is["value"]})
	case "checkbox", "radio":
		if value, told := is["value"]; checked && told {
			r.form.fields.Add(is["name"], value)
		} else if checked {
			r.form.fields.Add(is["name"], "on")
		}
	default:
		r.form.fields.Add(is["name"], is["value"])
	}
}

func (r *reader) end(name string) {
	switch name {
	case r.silent:
		r.silent = ""
	case "form":
		r.form = nil
	case "button":
		r.button.label = r.said()
		if r.form != nil {
			r.form.buttons = append(r.form.buttons, r.button)
		}
	case "a":
		r.link.label = r.said()
		r.page.links = append(r.page.links, r.link)
	}
	r.text.WriteByte(' ')
}

// said ends a label and returns its words.
func (r *reader) said() string {
	if r.label == nil {
		return ""
	}
	words := strings.Join(strings.Fields(r.label.String()), " ")
	r.label = nil
	return words
}

func (r *reader) words(text string) {
	if r.silent != "" {
		return
	}
	r.text.WriteString(text)
	if r.label != nil {
		r.label.WriteString(text + " ")
	}
}
