package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"porterhouse"
)

// part writes one part of a form; file "-": it is a field.
func part(name, file, value string) string {
	head := `--BB` + "\r\n" + `Content-Disposition: form-data; name="` + name + `"`
	if file != "-" {
		head += `; filename="` + file + `"`
	}
	return head + "\r\n\r\n" + value + "\r\n"
}

const formEnd = "--BB--\r\n"

// readForm reads a form up to its tables.
func readForm(t *testing.T, url, body string, change func(*http.Request)) (porterhouse.Query, error) {
	t.Helper()
	r := httptest.NewRequest("POST", "/?"+url, strings.NewReader(body))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=BB")
	if change != nil {
		change(r)
	}
	p, err := readParameters(url, isForm(r))
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{}
	q, err := s.newQuery(r, p)
	if err != nil {
		t.Fatal(err)
	}
	_, err = addBody(&q, r, p, nil, new(room))
	return q, err
}

func TestForm(t *testing.T) {
	q, err := readForm(t, "query=SELECT+{p:Int8},&x_format=CSV&param_p=1", part("query", "-", "count() FROM x, y")+
		part("param_q", "-", "2")+part("max_threads", "-", "3")+part("x_structure", "-", "a Int8")+part("y_types", "-", "Int8")+
		part("x", "one.csv", "1\r\n--B\r\n2\n")+part("y", "", "")+formEnd, nil)
	if err != nil {
		t.Fatal(err)
	}
	if q.SQL != "SELECT {p:Int8},count() FROM x, y" || q.Params["p"] != "1" || q.Params["q"] != "2" || len(q.Passage.Settings) > 0 {
		t.Errorf("%q, %v, %v", q.SQL, q.Params, q.Passage.Settings)
	}
	type table struct {
		Name, File, Data string
		Fields           []porterhouse.Setting
	}
	var got []table
	for x, err := range q.Passage.Tables {
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(x.Data)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, table{x.Name, x.File, string(data), x.Fields})
	}
	want := []table{
		{"x", "one.csv", "1\r\n--B\r\n2\n", pairs("format", "CSV", "structure", "a Int8")},
		{"y", "", "", pairs("types", "Int8")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// clickhouse-go sends its tables first, and the query behind them.
func TestFormTablesBeforeTheQuery(t *testing.T) {
	q, err := readForm(t, "x_types=Int8&y_types=Int8", part("x", "one", "1\n")+part("query", "-", "SELECT 1")+part("y", "", "2\n")+formEnd, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := q.SQL
	for x, err := range q.Passage.Tables {
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(x.Data)
		if err != nil {
			t.Fatal(err)
		}
		got += fmt.Sprintf("; %s %q %q %v", x.Name, x.File, data, x.Fields)
	}
	if want := `SELECT 1; x "one" "1\n" [{types Int8}]; y "" "2\n" [{types Int8}]`; got != want {
		t.Errorf("%s\ninstead of\n%s", got, want)
	}
}

func TestFormRefused(t *testing.T) {
	file := part("x", "f", "1\n")
	for name, c := range map[string]struct {
		url, body string
		change    func(*http.Request)
	}{
		"no end":                       {body: part("query", "-", "SELECT 1")},
		"cut off in a table":           {body: part("query", "-", "SELECT 1") + "--BB\r\nContent-Disposition: form-data; name=\"x\"; filename=\"f\"\r\n\r\n1\n"},
		"the query behind a large one": {body: part("x", "f", strings.Repeat("1\n", maxEarly/2+1)) + part("query", "-", "SELECT 1") + formEnd},
		"a field behind all":           {body: part("query", "-", "SELECT 1") + file + part("param_a", "-", "1") + formEnd},
		"a parameter with two values":  {url: "param_a=1", body: part("param_a", "-", "2") + formEnd},
		"a part without a name":        {body: "--BB\r\nContent-Disposition: form-data\r\n\r\n1\r\n" + formEnd},
		"a part without a disposition": {body: "--BB\r\nX-Y: 1\r\n\r\n1\r\n" + formEnd},
		"a part with two":              {body: "--BB\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n1\r\n" + formEnd},
		"too many parts":               {body: strings.Repeat(part("a", "-", ""), maxFields+1) + formEnd},
		"a field that is too long":     {body: part("query", "-", strings.Repeat("x", maxField+1)) + formEnd},
		"fields that are too long":     {body: strings.Repeat(part("a", "-", strings.Repeat("x", maxField)), 5) + formEnd},
		"no boundary":                  {body: file + formEnd, change: func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data") }},
		"GET":                          {body: file + formEnd, change: func(r *http.Request) { r.Method = "GET" }},
		"compressed":                   {body: file + formEnd, change: func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }},
	} {
		q, err := readForm(t, c.url, c.body, c.change)
		if err == nil && q.Passage.Tables != nil {
			for x, problem := range q.Passage.Tables {
				if err = problem; err == nil {
					_, err = io.ReadAll(x.Data)
				}
				if err != nil {
					break
				}
			}
		}
		if kind, _ := porterhouse.Explain(err); err == nil || kind != porterhouse.Invalid {
			t.Errorf("%s: %q, %v", name, q.SQL, err)
		}
	}
}
