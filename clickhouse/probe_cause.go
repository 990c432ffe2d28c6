package clickhouse

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"porterhouse"
)

// codeCauses are what the codes of ClickHouse's exceptions mean to a trial.
var codeCauses = map[int]Cause{
	60: Unknown, 115: Unknown, // table, setting
	164: HeldToReading, 452: HeldToReading,
	syntaxError:          Unknown,
	unknownUser:          NoSuchUser,
	wrongPassword:        LoginRefused,
	requiredPassword:     LoginRefused,
	supportIsDisabled:    CompiledOut,
	accessDenied:         NotGranted,
	authenticationFailed: LoginRefused,
}

// exceptionFinding is what a trial has come to that ended with an exception of
// ClickHouse's. user is who logged in for it.
func exceptionFinding(raw, user string) Finding {
	e, _ := parseException(raw)
	f := Finding{Outcome: Fails, Cause: codeCauses[e.Code], Code: e.Code, Said: shorten(strings.TrimSpace(raw))}
	switch {
	case f.Cause == "":
		f.Cause = OtherError
	case isFailedLogin(e, user):
		f.Cause = LoginRefused
	case e.Code == supportIsDisabled && strings.Contains(e.Message, "allow_impersonate_user"):
		f.Cause = SwitchedOff
	}
	return f
}

// networkFinding is what a trial has come to that ClickHouse did not answer.
func networkFinding(ctx context.Context, err error) Finding {
	if text, ok := errors.AsType[exceptionText](err); ok {
		return exceptionFinding(string(text), "")
	}
	f := Finding{Outcome: Fails, Cause: networkCause(err), Said: shorten(err.Error())}
	if ctx.Err() != nil { // then the connection was closed, and err says no more than that
		f.Cause, f.Said = TooSlow, "no answer in time: "+f.Said
	}
	return f
}

// networkCause sorts what a connection gave.
func networkCause(err error) Cause {
	if name, ok := errors.AsType[*net.DNSError](err); ok && !name.IsTimeout {
		return NoHost
	}
	if cause := certificateCause(err); cause != "" {
		return cause
	}
	timeout, isNetwork := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || isNetwork && timeout.Timeout():
		return TooSlow
	case errors.Is(err, syscall.ECONNREFUSED):
		return NobodyListens
	case errors.Is(err, errHandshake):
		return NoTLS
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		return HungUp
	case isNetwork:
		return Broken
	}
	return NotClickHouse // what came could not be read
}

// certificateCause sorts what is wrong with a certificate; "": it is not that.
func certificateCause(err error) Cause {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return Expired
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return WrongName
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return Untrusted
	}
	return ""
}

// executeAsCause says why EXECUTE AS is not known: an older version never had it, a
// newer one was built without it.
func executeAsCause(f Finding, version string) Finding {
	if f.Failed(Unknown) && hasExecuteAs(version) {
		f.Cause = CompiledOut
	}
	return f
}

// hasExecuteAs reports whether ClickHouse's own releases of that version have EXECUTE AS.
func hasExecuteAs(version string) bool {
	v, ok := parseVersion(version)
	return ok && (v[0] > 25 || v[0] == 25 && v[1] >= 11)
}

// ownWords returns what somebody of ours has put around an error of the network.
func ownWords(err error) error {
	if own, ok := errors.AsType[*porterhouse.Error](err); ok && own.Err != nil {
		return own.Err
	}
	return err
}
