// Package page is the look of every page that a person sees: one layout, one style
// sheet within it, light and dark, readable without a mouse and without eyes.
//
//	a room's own templates (embed) ─▶ New ─▶ Set.Write ─▶ headers, layout, the room's "main"
//
// The rule of the package: a page loads nothing and runs nothing. Its style stands
// in it and is named in its Content-Security-Policy by hash; there is no script.
//
// # Writing a template
//
// Each *.html defines "main", which gets View.Data. The layout gives it the header,
// the one h1 (View.Title) and a card around it, so it begins with a paragraph. A page
// whose heading is more than its title defines "heading" too, which gets the View.
// What several pages of a room say stands in a *.part.html, which defines templates for
// all of them and no "main".
//
// What a stranger chose (a client's name, a host) is written as
// <bdi>{{.Name | clean 60}}</bdi>: Clean makes it harmless to the eye, html/template to
// the browser, and bdi keeps its direction to itself. A host is shown whole
// ({{.Host | clean 253}}): what matters is its end.
//
// There are no style attributes (the policy ignores them) but these parts:
//
//	<p class="lead">                            the one sentence that matters, larger
//	<p class="fine">                            small print: for how long, what else to know
//	<strong class="name"> <span class="host">   names, and hosts (fixed width, broken anywhere)
//	<section class="part"><h2>…</h2>…           a part of the card with a line above it
//	<dl class="facts"><div><dt>…</dt><dd>…</dd></div>…   who, what, where: a list of facts
//	<p class="who"><span class="face" aria-hidden="true">{{initial .User}}</span><span><b>name</b><small>how</small></span>   the person signed in
//	<div class="notice">, class="notice warning", class="notice done"      an aside; a warning; it worked
//	<ul class="choices"><li><button><b>label</b><span class="host">…</span></button>   one button per choice
//	<div class="actions"><button>Allow</button><button class="quiet">Cancel</button>   what to press, the main one first
//	<div class="actions wary">                  the same, and the first takes no click before the pointer has been there for a while
//	<a class="button">, <a class="button quiet">                           a link that looks the same
//	<label class="check"><input type="checkbox"><span><b>…</b><small>…</small></span></label>   something to tick
//	<ul class="grants"><li><b>…</b><small>…</small></li>                   what is given, nothing to tick
//	<label class="field">Code<input class="code" …></label>               a field; .code is for codes that people type
//	<p class="code">WDJB-MJHT</p>                                          such a code, to be read
//	<ol class="steps"><li>…                                                what to do, in order
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed layout.html
var layoutText string

//go:embed problem.html
var problemText string

//go:embed style.css
var style string

// Set are the pages of one room. It is safe for concurrent use.
type Set struct {
	pages   map[string]*template.Template
	problem *template.Template
	policy  string // Content-Security-Policy, but for form-action
}

// New parses every *.html of files, which is flat. Each defines the template
// "main", which gets View.Data; the layout is this package's. What a *.part.html
// defines is for all pages.
func New(files fs.FS) (*Set, error) {
	layout, err := template.New("layout").Funcs(template.FuncMap{"clean": clean, "initial": initial}).Parse(layoutText)
	if err != nil {
		return nil, fmt.Errorf("page: the layout: %w", err)
	}
	s := &Set{pages: map[string]*template.Template{}, policy: policy(style)}
	if s.problem, err = parse(layout, "problem.html", problemText); err != nil {
		return nil, err
	}
	texts, err := read(files)
	if err != nil {
		return nil, err
	}
	for name, text := range texts {
		if !strings.HasSuffix(name, part) {
			continue
		}
		if _, err := layout.New(name).Parse(text); err != nil {
			return nil, fmt.Errorf("page: %s: %w", name, err)
		}
	}
	for name, text := range texts {
		if strings.HasSuffix(name, part) {
			continue
		}
		if s.pages[strings.TrimSuffix(name, path.Ext(name))], err = parse(layout, name, text); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// part is how the name of a file ends whose templates all pages of the room have.
const part = ".part.html"

// read returns the text of every template, by name of its file.
func read(files fs.FS) (map[string]string, error) {
	names, err := fs.Glob(files, "*.html")
	if err != nil || len(names) == 0 {
		return nil, errors.Join(errors.New("page: there are no templates (*.html)"), err)
	}
	texts := map[string]string{}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
		texts[name] = string(text)
	}
	return texts, nil
}

// parse puts a room's template into a copy of the layout.
func parse(layout *template.Template, name, text string) (*template.Template, error) {
	t, err := layout.Clone()
	if err == nil {
		_, err = t.New(name).Parse(text)
	}
	if err != nil {
		return nil, fmt.Errorf("page: %s: %w", name, err)
	}
	if t.Lookup("main") == nil {
		return nil, fmt.Errorf(`page: %s does not define the template "main"`, name)
	}
	return t, nil
}

// policy allows one style sheet, the icon within the page, and nothing else.
func policy(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
}

// View is one page as it is to be shown.
type View struct {
	Name   string // of the file, without .html
	Title  string // in the title bar, and the page's one h1 unless the template defines "heading"
	Status int    // 0: 200
	Data   any
	// Leaves: a form on this page ends at somebody else's, by way of redirects
	// that nobody here knows (form-action would stop them).
	Leaves bool
}

// Write answers with a page. It is never cached and never framed. A template that
// fails is our own fault: it panics, and whoever serves answers 500.
func (s *Set) Write(w http.ResponseWriter, v View) {
	t, found := s.pages[v.Name]
	if !found {
		panic("page: there is no page " + v.Name)
	}
	s.write(w, t, v)
}

// Problem is an error as a person sees it.
type Problem struct {
	Status  int
	Title   string // what went wrong, in a few words
	Text    string // what happened, and where
	Advice  string // what to do about it
	Request string // id of the request, for whoever asks the operator
	Again   string // local URL that begins anew; "": there is none
}

// WriteProblem answers with an error page.
func (s *Set) WriteProblem(w http.ResponseWriter, p Problem) {
	s.write(w, s.problem, View{Title: p.Title, Status: p.Status, Data: p})
}

// write renders the whole page before the first byte is sent: half a page with a
// button that works is worse than none.
func (s *Set) write(w http.ResponseWriter, t *template.Template, v View) {
	var body bytes.Buffer
	err := t.ExecuteTemplate(&body, "layout", struct {
		View
		Style template.CSS
	}{v, template.CSS(style)})
	if err != nil {
		panic(fmt.Errorf("page: %q: %w", v.Name, err))
	}
	s.setHeaders(w.Header(), v)
	w.WriteHeader(max(v.Status, http.StatusOK))
	_, _ = w.Write(body.Bytes()) // whoever has gone away cannot be told
}

// setHeaders says how a page may be used. There is no Cross-Origin-Opener-Policy:
// web clients open /authorize in a window and watch whether it is still there.
//
// The referrer stays with us, and is not left out altogether: browsers would then
// say "Origin: null" in our own forms.
func (s *Set) setHeaders(h http.Header, v View) {
	policy := s.policy
	if !v.Leaves {
		policy += "; form-action 'self'"
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY") // for what does not know frame-ancestors
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}
