// Package page is the look of every page that a person sees: one layout, one style
// sheet within it, light and dark, readable without a mouse and without eyes.
//
//	a room's own templates (embed) ─▶ New ─▶ Set.Write ─▶ headers, layout, the room's "main"
//
// The rule of the package: a page loads nothing and runs nothing. Its style stands
// in it and is named in its Content-Security-Policy by hash; there is no script.
package page

import (
	"io/fs"
	"net/http"
)

// Set are the pages of one room.
type Set struct{}

// New parses every *.html of files. Each defines the template "main", which gets
// View.Data; the layout is this package's.
func New(files fs.FS) (*Set, error) { panic("not yet") }

// View is one page as it is to be shown.
type View struct {
	Name   string // of the file, without .html
	Title  string // in the title bar, and the page's one h1 unless the template has its own
	Status int    // 0: 200
	Data   any
	// Leaves: a form on this page ends at somebody else's, by way of redirects
	// that nobody here knows (form-action would stop them).
	Leaves bool
}

// Write answers with a page. It is never cached and never framed.
func (s *Set) Write(w http.ResponseWriter, v View) { panic("not yet") }

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
func (s *Set) WriteProblem(w http.ResponseWriter, p Problem) { panic("not yet") }
