// Package identity turns a token into a verified Principal, and knows nothing
// else: not ClickHouse, not which door asks, no cookies.
//
//	token ─▶ Verifier ─▶ processor ─▶ processor ─▶ …
//	                        │ ErrNotMine: ask the next
//	                        │ any other error: refused, nobody else is asked
//	                        ▼
//	                    Principal
//
// A processor is one way to prove a person. [Tokens] are API tokens that the
// operator hands out. All others are of identity providers, made by [NewProcessors]
// from an operator's [Settings], for one [Resource] each: a token for one door is
// none for another.
//
//	                 ┌ remembered? (verdicts.go) ─────────────────────────────────┐
//	token ─ whose? ──┤ JWT: by its issuer ─ signature (jwt.go, jwks.go, remote.go) ─┤ rules ─▶ Principal
//	        (issuer, └ opaque: the provider is asked (introspection, userinfo, …) ──┘
//	         shape)
//
//	rules     is it for access, alive, of that issuer, for us?  proof.go    no: Unauthenticated
//	          who is it, and in which groups?                   person.go   nobody: Unauthenticated
//	          may this person come in?                          permit.go   no: Refused
//
// Whoever is to be shown a token for somebody else than us has an [Onward] ask for it, with
// what a sign-in gave, or an [Exchanger], with the token that somebody brought.
//
// What is known of providers (keys, documents, verdicts) is in [Providers], which
// outlive the configuration; all that is asked of them goes out through [Outbound].
//
// The rules of the package:
//
//   - What a token says is used for nothing until its signature was checked, or its
//     provider has answered; except the issuer, to find the processor that is to judge it.
//   - Every token that is refused looks the same from outside. Why it was refused
//     (mistyped, expired, revoked, for somebody else) is in the private half of the
//     error, for the operator's log; [Verifier.Explain] tells it step by step.
//   - Two providers never prove the same person: a Principal's Issuer is one that the
//     settings pin, or it begins with the processor's own name.
package identity
