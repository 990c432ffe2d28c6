package proxy

import (
	"bytes"
	"io"
	"iter"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"porterhouse"
)

// The bounds of a form.
const (
	maxFields = 1_000    // fields and files
	maxField  = 1 << 20  // bytes of one field
	maxForm   = 4 << 20  // bytes of all fields
	maxEarly  = 16 << 20 // bytes of all tables before the query
)

// form reads a body of the type multipart/form-data (RFC 7578), as ClickHouse does: a
// part with a file name is an external table, the other ones are the query and its
// parameters, and the descriptions of tables; what else there is means nothing.
//
// The query must be known before its tables are read. Tables that come before it are
// kept until it is there, up to maxEarly bytes; all others are read as they come, and
// nothing but tables may come behind them.
type form struct {
	parts  *multipart.Reader
	fields []porterhouse.Setting // of tables, from the URL and the form
	count  int                   // parts so far
	size   int                   // bytes of fields so far
	early  []earlyTable          // that came before the query
	file   *multipart.Part       // the first file behind the query; nil: there is none
	table  string                // its name
	from   *arrival
}

// addForm adds to q what a form holds.
func addForm(q *porterhouse.Query, r *http.Request, p *parameters, from *arrival) error {
	_, directives, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	boundary := directives["boundary"]
	switch {
	case r.Method != http.MethodPost:
		return refuse(codeBadArguments, "a form must be sent with POST")
	case err != nil || boundary == "" || len(boundary) > 200:
		return refuse(codeBadArguments, "the Content-Type of the form has no boundary of at most 200 bytes")
	case !encodingIsPlain(r):
		return refuse(codeBadArguments, "a form cannot have a Content-Encoding: compress the tables in it")
	}
	f := &form{parts: multipart.NewReader(from, boundary), fields: p.tables, from: from}
	if err := f.readFields(q, p); err != nil {
		return err
	}
	q.Params = p.params
	if f.file != nil || f.early != nil {
		q.Passage.Tables = f.tables()
	}
	return nil
}

// encodingIsPlain reports whether the body comes as it is. ClickHouse leaves the coding
// of a form alone, and would read the packed bytes.
func encodingIsPlain(r *http.Request) bool {
	coding := strings.ToLower(r.Header.Get("Content-Encoding"))
	return coding == "" || coding == "identity"
}

// readFields reads up to the first file behind the query.
func (f *form) readFields(q *porterhouse.Query, p *parameters) error {
	for {
		part, name, file, err := f.next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case file && q.SQL != "":
			f.file, f.table = part, name
			return nil
		case file:
			if err := f.keep(part, name); err != nil {
				return err
			}
			continue
		}
		value, err := f.read(part)
		if err != nil {
			return err
		}
		switch {
		case name == "query":
			q.SQL += value
		case strings.HasPrefix(name, paramPrefix):
			if err := p.addParam(name[len(paramPrefix):], value); err != nil {
				return err
			}
		case describesTable(name):
			f.fields = append(f.fields, porterhouse.Setting{Name: name, Value: value})
		}
	}
}

// next goes on to the next part.
func (f *form) next() (part *multipart.Part, name string, file bool, err error) {
	if f.count++; f.count > maxFields {
		return nil, "", false, refuse(codeBadArguments, "the form has more than %d fields", maxFields)
	}
	part, err = f.parts.NextRawPart()
	if err != nil {
		return nil, "", false, f.broken(err)
	}
	disposition := part.Header["Content-Disposition"]
	if len(disposition) != 1 {
		return nil, "", false, refuse(codeBadArguments, "a part of the form does not have one Content-Disposition")
	}
	_, directives, err := mime.ParseMediaType(disposition[0])
	if err != nil || directives["name"] == "" {
		return nil, "", false, refuse(codeBadArguments, "a part of the form has no name")
	}
	_, file = directives["filename"]
	return part, directives["name"], file, nil
}

// read reads the value of a field.
func (f *form) read(part io.Reader) (string, error) {
	value, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil {
		return "", f.broken(err)
	}
	if f.size += len(value); len(value) > maxField || f.size > maxForm {
		return "", refuse(codeBadArguments, "the fields of the form are too long: one may have %d bytes, all together %d", maxField, maxForm)
	}
	return string(value), nil
}

// earlyTable is a table that came before the query, as clickhouse-go sends them.
type earlyTable struct {
	name, file string
	data       []byte
}

// keep reads a table that came before the query.
func (f *form) keep(part *multipart.Part, name string) error {
	room := maxEarly
	for _, kept := range f.early {
		room -= len(kept.data)
	}
	data, err := f.readKept(io.LimitReader(part, int64(room)+1))
	if err != nil {
		return err
	}
	if len(data) > room {
		return refuse(codeBadArguments, "the form has tables of more than %d bytes before the query: send the query first, or in the URL", maxEarly)
	}
	f.early = append(f.early, earlyTable{name, part.FileName(), data})
	return nil
}

// readKept is io.ReadAll that asks for memory as it goes.
func (f *form) readKept(r io.Reader) (data []byte, err error) {
	for {
		if len(data) == cap(data) {
			grown := max(64<<10, 2*cap(data))
			if err := f.from.memory.take(int64(grown)); err != nil {
				return nil, err
			}
			data = append(make([]byte, 0, grown), data...)
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, f.broken(err)
		}
	}
}

// broken is the error of a form that cannot be read on; io.EOF: it has ended as it should.
func (f *form) broken(err error) error {
	switch {
	case err == io.EOF:
		return err
	case f.from.err != nil:
		return f.from.err
	}
	return &porterhouse.Error{Kind: porterhouse.Invalid, Code: codeBadArguments, Public: "the form is not one, or not all of it has come", Err: err}
}

// tables goes through the files. Each is read before the next one begins.
func (f *form) tables() iter.Seq2[porterhouse.Table, error] {
	return func(yield func(porterhouse.Table, error) bool) {
		for _, kept := range f.early {
			if !yield(porterhouse.Table{Name: kept.name, File: kept.file, Fields: f.describe(kept.name), Data: bytes.NewReader(kept.data)}, nil) {
				return
			}
		}
		if f.file == nil {
			return
		}
		part, name := f.file, f.table
		for {
			table := porterhouse.Table{Name: name, File: part.FileName(), Fields: f.describe(name), Data: &partData{part, f}}
			if !yield(table, nil) {
				return
			}
			var file bool
			var err error
			part, name, file, err = f.next()
			if err == nil && !file {
				err = refuse(codeBadArguments, "the field %.100q comes behind a file: put files last", name)
			}
			if err != nil {
				if err != io.EOF {
					yield(porterhouse.Table{}, err)
				}
				return
			}
		}
	}
}

// describe returns the fields of one table, without its name: format, structure, types.
// Of several the first one counts, as in ClickHouse.
func (f *form) describe(table string) []porterhouse.Setting {
	var fields []porterhouse.Setting
	for _, s := range f.fields {
		what, ok := strings.CutPrefix(s.Name, table+"_")
		if !ok || !slices.Contains(tableSuffixes, "_"+what) {
			continue
		}
		if !slices.ContainsFunc(fields, func(old porterhouse.Setting) bool { return old.Name == what }) {
			fields = append(fields, porterhouse.Setting{Name: what, Value: s.Value})
		}
	}
	return fields
}

// partData is the data of one table.
type partData struct {
	part io.Reader
	form *form
}

// Read implements io.Reader.
func (d *partData) Read(p []byte) (int, error) {
	n, err := d.part.Read(p)
	if err != nil {
		err = d.form.broken(err)
	}
	return n, err
}
