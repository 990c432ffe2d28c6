package openid

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
)

//go:embed pages
var files embed.FS

// pages are what people see: no script, nothing loaded, the style within.
type pages struct {
	templates *template.Template
	style     template.CSS
	policy    string
}

func newPages() (pages, error) {
	templates, err := template.ParseFS(files, "pages/*.html")
	if err != nil {
		return pages{}, err
	}
	style, err := files.ReadFile("pages/style.css")
	if err != nil {
		return pages{}, err
	}
	sum := sha256.Sum256(style)
	// No form-action: the form ends at the client's, by redirects that nobody here knows.
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; frame-ancestors 'none'"
	return pages{templates, template.CSS(style), policy}, nil
}

// chooser is the page with the people on it.
type chooser struct {
	Client, Host string // who asks; "" on the page of devices
	Action       string // where the form goes, with the request in it
	Typing       bool   // the page of devices: a code is typed
	Code         string // that was typed
	Problem      string
	People       []choice
}

// write answers with a page.
func (p pages) write(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	view := struct {
		Style template.CSS
		Data  any
	}{p.style, data}
	if err := p.templates.ExecuteTemplate(&page, name+".html", view); err != nil {
		http.Error(w, "this page cannot be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer, a browser says of our own form that it came from nowhere
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

func (p pages) problem(w http.ResponseWriter, status int, text string) {
	p.write(w, status, "problem", text)
}
