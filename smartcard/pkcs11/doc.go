// Package pkcs11 makes keys in tokens behind PKCS #11 modules (OpenSC, SoftHSM, HSMs) usable as package smartcard does those on cards. It knows
// no token itself: what a key can do is what the module says of it.
//
// A Wallet holds the tokens of one program. A module is initialised once in a process, however many of its tokens are used, so a process has
// one Wallet. All methods may be called at once: those who use a token wait in the order in which they came, those of several tokens of a
// module take turns, and one thread calls a module. A module is C, and cannot be interrupted: where it hangs, callers are let go when
// their contexts end, and the call is left to itself. It runs in this process, and what it does there cannot be guarded against: a module that is
// not trusted, or crashes, belongs behind p11-kit's server, whose client is a module too.
//
// # PINs
//
// PKCS #11 shows no counter of tries, but flags. No PIN is presented where the token says that one was refused since the last success
// (CKF_USER_PIN_COUNT_LOW), that one try is left, that the PIN is locked, must be changed, or was never set. A PIN that was refused is never
// presented again, not even after a restart. Where a token shows no flag after it has refused one, which PKCS #11 allows, no other is presented
// either until a human has used Unlock. Of a try whose end is not known (the program was killed, the token went away) it is assumed that
// it was refused, unless the same PIN was accepted before and the token says that none was refused: then it is presented once more. A
// token with a PIN pad of its own (CKF_PROTECTED_AUTHENTICATION_PATH) is sent no PIN: it asks its holder.
package pkcs11
