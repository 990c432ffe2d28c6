package clickhouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"porterhouse"
)

// byTicket is the way of the mode Verify: the account itself logs in, with a one-time
// ticket that is bound to it and to the query, and ClickHouse asks our authenticator.
type byTicket struct {
	personal
	client *Client
	mint   func(ctx context.Context, user porterhouse.UserName, queryID string) (porterhouse.Secret, error)
}

// ticketHeader tells ClickHouse, and through it the authenticator, which query a
// ticket is for.
const ticketHeader = "X-Porterhouse-Query-Id"

// check implements way.
func (w byTicket) check(_ context.Context, as porterhouse.Account, _ *porterhouse.Query) error {
	if err := checkUser(as.User, w.client.cleaner.gateway); err != nil {
		return err
	}
	return checkBasic(as.User)
}

// login implements way. Each request has a ticket of its own, because it lets in
// once, and for seconds only.
func (w byTicket) login(ctx context.Context, as porterhouse.Account, queryID string) (string, error) {
	queryID = headerValue(queryID)
	ticket, err := w.mint(ctx, as.User, queryID)
	if err != nil {
		return "", err
	}
	return basic(as.User.String(), ticket) + ticketHeader + ": " + queryID + "\r\n", nil
}

// maxHeaderValue is the longest query id that a ticket can name, in bytes.
const maxHeaderValue = 128

// headerValue returns a query id as a header can carry it: as it is, when it has
// nothing but letters, digits and the like, else as a hash. Clients choose ids.
func headerValue(queryID string) string {
	if len(queryID) <= maxHeaderValue && !strings.ContainsFunc(queryID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return queryID
	}
	sum := sha256.Sum256([]byte(queryID))
	return "sha256-" + hex.EncodeToString(sum[:])
}

// explain implements way. ClickHouse says the same of every login that fails.
func (byTicket) explain(e porterhouse.Exception, as porterhouse.UserName) (porterhouse.Kind, string) {
	if !isFailedLogin(e, as.String()) {
		return "", ""
	}
	return porterhouse.Unavailable, fmt.Sprintf("ClickHouse did not let the account %q in with the ticket that Porterhouse made for it. "+
		"The operator has to see that the user is there and IDENTIFIED WITH http SERVER …, that http_authentication_servers in ClickHouse's configuration "+
		"names that server, can reach Porterhouse's authenticator and has %s in forward_headers, and that it asks within 10 seconds", as, ticketHeader)
}
