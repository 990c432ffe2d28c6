package page

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func set(t *testing.T, files map[string]string) *Set {
	t.Helper()
	s, err := New(templates(files))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func templates(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func written(s *Set, v View) *http.Response {
	w := httptest.NewRecorder()
	s.Write(w, v)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var hello = map[string]string{"hello.html": `{{define "main"}}<p>Hello, <bdi>{{.Name | clean 12}}</bdi></p>{{end}}`}

// The policy names exactly the style sheet that stands in the page.
func TestStyleIsTheOneThatIsNamed(t *testing.T) {
	r := written(set(t, hello), View{Name: "hello", Title: "Hello", Data: map[string]string{"Name": "Alice"}})
	text := body(t, r)
	found := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(text)
	if found == nil || len(found[1]) < 1000 {
		t.Fatalf("there is no style sheet: %s", text)
	}
	sum := sha256.Sum256([]byte(found[1]))
	if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(r.Header.Get("Content-Security-Policy"), want) {
		t.Errorf("%s does not name %s", r.Header.Get("Content-Security-Policy"), want)
	}
}

// No page can be framed, cached, made to run or load something, or to send a form elsewhere.
func TestHeaders(t *testing.T) {
	s := set(t, hello)
	stays := written(s, View{Name: "hello", Status: http.StatusForbidden, Data: map[string]string{"Name": "Bob"}})
	leaves := written(s, View{Name: "hello", Leaves: true, Data: map[string]string{"Name": "Bob"}})
	for name, want := range map[string]string{
		"X-Frame-Options":              "DENY",
		"Cache-Control":                "no-store",
		"Content-Type":                 "text/html; charset=utf-8",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := stays.Header.Get(name); got != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "img-src data:"} {
		for _, r := range []*http.Response{stays, leaves} {
			if policy := r.Header.Get("Content-Security-Policy"); !strings.Contains(policy, want) || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: no %s", policy, want)
			}
		}
	}
	const own = "form-action 'self'"
	if !strings.Contains(stays.Header.Get("Content-Security-Policy"), own) || strings.Contains(leaves.Header.Get("Content-Security-Policy"), "form-action") {
		t.Error("form-action is not as the page wants it")
	}
	if stays.StatusCode != http.StatusForbidden || leaves.StatusCode != http.StatusOK {
		t.Errorf("status %d and %d", stays.StatusCode, leaves.StatusCode)
	}
}

// Nothing that a page was given becomes markup, in a title, a template or a problem.
func TestNothingBecomesMarkup(t *testing.T) {
	const evil = `"><script>alert(1)</script>`
	s := set(t, map[string]string{"hello.html": `{{define "main"}}<p title="{{.}}">{{.}}</p><a href="{{.}}">x</a>{{end}}`})
	problem := httptest.NewRecorder()
	s.WriteProblem(problem, Problem{Status: http.StatusBadRequest, Title: evil, Text: evil, Advice: evil, Request: evil, Again: "javascript:alert(1)"})
	for _, r := range []*http.Response{written(s, View{Name: "hello", Title: evil, Data: evil}), problem.Result()} {
		if text := body(t, r); strings.Contains(text, "<script") || strings.Contains(text, `href="javascript`) {
			t.Error(text)
		}
	}
}

func TestProblem(t *testing.T) {
	w := httptest.NewRecorder()
	set(t, hello).WriteProblem(w, Problem{Status: http.StatusBadRequest, Title: "Too late", Text: "It took an hour.", Advice: "Be quick.", Request: "0197", Again: "/signin"})
	text := w.Body.String()
	for _, want := range []string{"<h1>Too late</h1>", "<title>Too late – Porterhouse</title>", "It took an hour.", "Be quick.", "0197", `href="/signin"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if w.Code != http.StatusBadRequest {
		t.Errorf("status %d", w.Code)
	}
}

// A template that defines its own heading has no other.
func TestHeading(t *testing.T) {
	s := set(t, map[string]string{"a.html": `{{define "heading"}}<h1>{{.Title}} <small>{{.Data}}</small></h1>{{end}}{{define "main"}}{{end}}`, "hello.html": hello["hello.html"]})
	text := body(t, written(s, View{Name: "a", Title: "One", Data: "two"}))
	if strings.Count(text, "<h1>") != 1 || !strings.Contains(text, "<h1>One <small>two</small></h1>") {
		t.Error(text)
	}
}

// What a part defines is there for every page, and is none itself.
func TestParts(t *testing.T) {
	s := set(t, map[string]string{
		"who.part.html": `{{define "who"}}<b>{{. | clean 12}}</b>{{end}}`,
		"a.html":        `{{define "main"}}1{{template "who" .}}{{end}}`, "z.html": `{{define "main"}}2{{template "who" .}}{{end}}`,
	})
	for name, want := range map[string]string{"a": "1<b>&lt;Alice&gt;</b>", "z": "2<b>&lt;Alice&gt;</b>"} {
		if text := body(t, written(s, View{Name: name, Data: "<Alice>"})); !strings.Contains(text, want) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if len(s.pages) != 2 {
		t.Errorf("there are %d pages", len(s.pages))
	}
}

// What cannot be a page is found at the start; what fails later is not half sent.
func TestMistakes(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"none":    {},
		"no main": {"a.html": `<p>`},
		"broken":  {"a.html": `{{define "main"}}{{.}`},
		"unknown": {"a.html": `{{define "main"}}{{. | shout}}{{end}}`},
		"a part":  {"a.html": `{{define "main"}}{{end}}`, "b.part.html": `{{define "b"}}{{.}`},
	} {
		if _, err := New(templates(files)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	s := set(t, map[string]string{"a.html": `{{define "main"}}{{.Missing.Field}}{{end}}`})
	for _, name := range []string{"a", "b"} {
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: it was written", name)
				}
			}()
			s.Write(w, View{Name: name, Data: struct{}{}})
		}()
		if w.Body.Len() != 0 {
			t.Errorf("%s: half a page: %s", name, w.Body)
		}
	}
}
