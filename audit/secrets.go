package audit

import "strings"

// speaksOfSecret reports whether what a word names is a secret. Case does not
// count, and a hyphen counts as an underscore.
func speaksOfSecret(word string) bool {
	for at := 0; at <= len(word)-len("passw"); at++ { // nothing shorter is looked for
		if secretBegins(word[at:]) {
			return true
		}
	}
	if word == "" {
		return false
	}
	switch word[len(word)-1] | 0x20 {
	case 'n':
		return endsWith(word, "token") && !sameWord(word, "hastoken") // a text search function
	case 'd':
		return endsWith(word, "pwd")
	case 's':
		return endsWith(word, "_pass") || sameWord(word, "pass")
	case 'g':
		return endsWith(word, "_sig") || sameWord(word, "sig")
	}
	return false
}

// secretBegins reports whether text begins with what speaks of a secret anywhere
// in a word.
func secretBegins(text string) bool {
	switch text[0] | 0x20 { // in lower case
	case 'a':
		return beginsWith(text, "authorization") || beginsWith(text, "api_key") || beginsWith(text, "apikey") ||
			beginsWith(text, "access_key") || beginsWith(text, "accesskey") || beginsWith(text, "account_key") || beginsWith(text, "accountkey")
	case 'b':
		return beginsWith(text, "bearer")
	case 'c':
		return beginsWith(text, "credential")
	case 'e':
		return beginsWith(text, "encryption_key")
	case 'p':
		return beginsWith(text, "passw") || beginsWith(text, "passphrase") || beginsWith(text, "private_key") || beginsWith(text, "privatekey")
	case 's':
		return beginsWith(text, "secret") || beginsWith(text, "signature") || beginsWith(text, "signing_key") || beginsWith(text, "shared_access") ||
			beginsWith(text, "sharedaccess")
	}
	return false
}

// endsExpression reports whether a word begins another part of a statement, so that
// a secret announced before it is over.
func endsExpression(word string) bool {
	for _, clause := range [...]string{
		"select", "and", "or", "xor", "then", "else", "end", "on", "qualify", "except", "intersect", "from", "where", "prewhere", "group", "order", "having", "limit", "join", "union", "settings", "format",
	} {
		if sameWord(word, clause) {
			return true
		}
	}
	return false
}

// credentials says of a function or an engine that takes credentials by position
// how many of its first arguments are none: where the data lies, mostly.
func credentials(name string) (plain int, ok bool) {
	if name == "" || len(name) > 40 {
		return 0, false
	}
	name = strings.ToLower(name)
	if base, isCluster := strings.CutSuffix(name, "cluster"); isCluster {
		plain, ok = credentials(base)
		return plain + 1, ok // the cluster's name comes first
	}
	switch name {
	case "headers":
		return 0, true
	case "s3", "gcs", "oss", "cosn", "s3queue", "datalakecatalog", // URL, key id, key …
		"encrypt", "decrypt", "trydecrypt", "aes_encrypt_mysql", "aes_decrypt_mysql", "hmac": // mode, text, key …
		return 1, true
	case "redis", "arrowflight", "ytsaurus":
		return 2, true
	case "mysql", "materializedmysql", "postgresql", "materializedpostgresql", "mongodb", // server, database, (table,) user, password
		"remote", "remotesecure", "azureblobstorage", "azurequeue":
		return 3, true
	case "externaldistributed":
		return 4, true
	}
	for _, lake := range [...]string{"iceberg", "deltalake", "hudi", "paimon"} {
		if strings.HasPrefix(name, lake) {
			return 1, true
		}
	}
	return 0, false
}

// leak returns where in a string's or a comment's text a secret begins, or the
// text's length. In a comment every word that speaks of a secret begins one; in a
// string there is a colon or an equals sign after it.
func leak(text string, comment bool) int {
	for at := 0; at < len(text); {
		if !isWord(text[at]) {
			at++
			continue
		}
		from := at
		for at < len(text) && (isWord(text[at]) || text[at] == '-') {
			at++
		}
		if start, found := leakAfter(text[from:at], text[at:], comment); found {
			return at + start
		}
	}
	return len(text)
}

// leakAfter returns where in rest the secret begins that word announces.
func leakAfter(word, rest string, comment bool) (start int, found bool) {
	sign := strings.TrimLeft(rest, " \t\r\n\v\f\"'`\\")
	behind := len(rest) - len(sign)
	switch {
	case sameWord(word, "identified"), comment && speaksOfSecret(word):
		return 0, true
	case sign == "":
		return 0, false
	case behind > 0 && (sameWord(word, "bearer") || sameWord(word, "basic") && looksEncoded(sign)):
		return behind, true
	case sign[0] == ':', sign[0] == '=':
		return behind + 1, speaksOfSecret(word)
	case sign[0] == '(':
		_, call := credentials(word)
		return behind + 1, call
	}
	return 0, false
}

// looksEncoded reports whether text begins with something like base64, not prose.
func looksEncoded(text string) bool {
	n := 0
	for n < len(text) && (isWord(text[n]) || strings.IndexByte("+/=", text[n]) >= 0) {
		n++
	}
	return n >= 8
}

// userInfo returns where in text, from at on, the user and password of a URL stand.
func userInfo(text string, at int) (from, to int, found bool) {
	for {
		scheme := strings.Index(text[at:], "://")
		if scheme < 0 {
			return 0, 0, false
		}
		from = at + scheme + len("://")
		url := text[from:]
		if next := strings.Index(url, "://"); next >= 0 {
			url = url[:next]
		}
		if last := strings.LastIndexByte(url, '@'); last >= 0 {
			authority := url
			if end := strings.IndexAny(url, "/?#, "); end >= 0 {
				authority = url[:end]
			}
			// A password may hold a slash that should have been escaped.
			if strings.ContainsAny(authority, "@:") {
				return from, from + last, true
			}
		}
		at = from
	}
}

// isWord reports whether c is part of a word; a dollar sign may stand within one.
func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// endsWith reports whether text ends with a lower-case word.
func endsWith(text, lower string) bool {
	at := len(text) - len(lower)
	return at >= 0 && beginsWith(text[at:], lower)
}

// foldByte is how a byte of a word is compared.
func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '-':
		return '_'
	}
	return c
}

// sameWord compares a word with a lower-case one.
func sameWord(word, lower string) bool {
	return len(word) == len(lower) && beginsWith(word, lower)
}

// beginsWith reports whether text begins with a lower-case word.
func beginsWith(text, lower string) bool {
	if len(text) < len(lower) {
		return false
	}
	for i := range len(lower) {
		if foldByte(text[i]) != lower[i] {
			return false
		}
	}
	return true
}
