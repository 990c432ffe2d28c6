package authserver

import "fmt"

// problem is a refusal in the words of RFC 6749, 5.2 and its relatives.
type problem struct {
	code string // such as invalid_grant
	text string // error_description: what went wrong and what to do; safe to show
	err  error  // the private cause; may be nil
}

// Error implements error with both halves, for the log.
func (p *problem) Error() string {
	if p.err == nil {
		return p.code + ": " + p.text
	}
	return fmt.Sprintf("%s: %s: %v", p.code, p.text, p.err)
}

// Unwrap returns the private cause.
func (p *problem) Unwrap() error { return p.err }

// refuse makes a problem; the format is of the text that the client sees.
func refuse(code, format string, args ...any) *problem {
	return &problem{code: code, text: fmt.Sprintf(format, args...)}
}

// because adds the private cause.
func (p *problem) because(err error) *problem {
	p.err = err
	return p
}
