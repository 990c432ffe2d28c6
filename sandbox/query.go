package sandbox

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
)

// Exec runs one statement as the admin. Statements on users, roles, grants,
// policies, quotas and profiles outlive a restart of the server, whatever its kind.
func (s *Server) Exec(ctx context.Context, sql string) error {
	if _, err := s.Text(ctx, sql); err != nil {
		return err
	}
	if !s.program.engine || !isAccess(sql) {
		return nil
	}
	if err := journal(filepath.Join(s.Dir, journalFile)).add(sql); err != nil {
		return fmt.Errorf("sandbox: writing down a statement on users: %w", err)
	}
	return nil
}

// Text runs one statement as the admin and returns the answer: tab-separated
// unless the statement says otherwise, without the last line break. An answer is
// whole or an error.
func (s *Server) Text(ctx context.Context, sql string) (string, error) {
	return s.ask(ctx, sql, nil)
}

// ask runs one statement; data, if there is any, follows it.
func (s *Server) ask(ctx context.Context, sql string, data io.Reader) (string, error) {
	parameters := url.Values{"wait_end_of_query": {"1"}} // the status line already knows how it went
	if data == nil {
		data = strings.NewReader(sql)
	} else {
		parameters.Set("query", sql)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.HTTP+"/?"+parameters.Encode(), data)
	if err != nil {
		return "", fmt.Errorf("sandbox: %w", err)
	}
	request.Header.Set("X-ClickHouse-User", s.User)
	request.Header.Set("X-ClickHouse-Key", s.Password)
	response, err := s.client.Do(request)
	if err != nil {
		return "", fmt.Errorf("sandbox: asking ClickHouse: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("sandbox: reading ClickHouse's answer: %w", err)
	}
	text := strings.TrimSuffix(string(answer), "\n")
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("sandbox: %s\nin: %.1000s", text, sql)
	}
	return text, nil
}
