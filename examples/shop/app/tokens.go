package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// claims are what a session's token says: whose it is and until when (RFC 7519, HS256 only).
type claims struct {
	Subject string `json:"sub"`
	Expires int64  `json:"exp"`
}

var header = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))

func sign(secret []byte, said claims) (string, error) {
	payload, err := json.Marshal(said)
	if err != nil {
		return "", err
	}
	text := header + "." + base64.RawURLEncoding.EncodeToString(payload)
	return text + "." + signature(secret, text), nil
}

// verify takes only the header that sign writes, so that a token cannot choose its own algorithm.
func verify(secret []byte, token string, now time.Time) (claims, bool) {
	text, signed, found := cutLast(token, ".")
	if !found || !hmac.Equal([]byte(signed), []byte(signature(secret, text))) {
		return claims{}, false
	}
	first, payload, _ := strings.Cut(text, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(payload)
	var said claims
	if first != header || err != nil || json.Unmarshal(decoded, &said) != nil {
		return claims{}, false
	}
	return said, said.Subject != "" && now.Unix() < said.Expires
}

func signature(secret []byte, text string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}

// caller is whoever sent the request, as their token from the auth service says.
func (s *server) caller(r *http.Request) (string, error) {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	said, valid := verify(s.config.secret, token, time.Now())
	if !found || !valid {
		return "", fault{http.StatusUnauthorized, "a valid token is needed"}
	}
	return said.Subject, nil
}
