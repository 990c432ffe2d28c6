package login

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// wire is how servers are asked. It follows no redirect: a token goes where it is
// meant to go, or nowhere.
type wire struct{ client *http.Client }

// patience is how long a server may take for one answer.
const patience = 30 * time.Second

func newWire(given *http.Client) wire {
	client := http.Client{Timeout: patience}
	if given != nil {
		client = *given
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return wire{&client}
}

// context is ctx with our HTTP client in it, which is how oauth2 is given one.
func (w wire) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, w.client)
}

// maxDocument bounds an answer, in bytes.
const maxDocument = 1 << 20

// get reads a JSON document; it is not found when the server says 4xx.
func (w wire) get(ctx context.Context, place string, into any) (found bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := w.client.Do(request)
	if err != nil {
		return false, err
	}
	defer func() { _ = response.Body.Close() }() // it was read, or is not wanted
	switch {
	case response.StatusCode/100 == 4:
		return false, nil
	case response.StatusCode/100 == 3:
		return false, fmt.Errorf("%s sends to %q: give the URL of the server itself", place, printable(response.Header.Get("Location")))
	case response.StatusCode != http.StatusOK:
		return false, fmt.Errorf("%s answers %s", place, response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxDocument)).Decode(into); err != nil {
		return false, nil // a page for people, as many servers have for every path
	}
	return true, nil
}

// post sends a form of which only success is of interest.
func (w wire) post(ctx context.Context, place string, form url.Values) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, place, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := w.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // nothing of it is needed
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxDocument)); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", place, response.Status)
	}
	return nil
}
