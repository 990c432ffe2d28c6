package authserver

import (
	"encoding/json"
	"net/http"
)

// serveKeys answers GET /jwks: the keys that our tokens can be verified with. They
// may be kept for as long as a new key is shown before it signs.
func serveKeys(k *Keys) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		text, err := json.Marshal(k.Public())
		if err != nil {
			http.Error(w, "the keys cannot be written", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_, _ = w.Write(text) // who left does not read it
	}
}
